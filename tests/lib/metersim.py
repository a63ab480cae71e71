"""The meter simulator as a child process, for tests, benchmarks and the demo."""

import json
import os
import select
import socket
import subprocess
import tempfile
import time

from child import end, start


class MeterSim:
    """Starts metersim with a log and a control socket in `folder`, waits until its lines are ready, ends it on exit."""

    def __init__(self, program, folder, *arguments, name="metersim"):
        self.log_path = os.path.join(folder, name + ".jsonl")
        self.stats_path = os.path.join(folder, name + ".stats")
        self.control_path = os.path.join(folder, name + ".control")
        self.lines = []  # as announced: ("pty", LINK), ("tcp", PORT), ("rtu-tcp", PORT)
        open(self.log_path, "w").close()
        command = [program, "--log", self.log_path, "--stats", self.stats_path, "--control", self.control_path,
                   *map(str, arguments)]
        wanted = sum(argument in ("--pty", "--tcp", "--rtu-tcp") for argument in command)
        self.process = start(command, stdout=subprocess.PIPE)
        deadline = time.monotonic() + 5
        text = b""
        while text.count(b"\n") < wanted:
            if not select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))[0]:
                self.stop()
                raise RuntimeError("metersim was not ready within 5 s")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                raise RuntimeError("metersim ended with status %s" % self.process.wait(5))
            text += chunk
        for line in text.decode().splitlines():
            kind, where = line.removeprefix("ready ").split(" ", 1)
            self.lines.append((kind, where))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def ports(self, kind="tcp"):
        return [int(where) for each, where in self.lines if each == kind]

    def command(self, text):
        """Sends one command and returns its answer; raises where the simulator refused it."""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.bind(os.path.join(folder, "me"))
            own.settimeout(5)
            own.sendto(text.encode(), self.control_path)
            answer = own.recv(1 << 20).decode()
        if answer.startswith("error"):
            raise ValueError(answer)
        return answer

    def stats(self):
        return json.loads(self.command("stats"))

    def frames(self, *kinds):
        """The log's lines so far, of the given kinds or all: of every answer that was received before this call."""
        if self.process.poll() is None:
            self.command("stats")  # it does one thing after the other: a frame sent before is logged before
        with open(self.log_path) as log:
            lines = [json.loads(line) for line in log if line.endswith("\n")]
        return [line for line in lines if not kinds or line["kind"] in kinds]

    def stop(self):
        end(self.process)
        self.process.stdout.close()
