"""A mosquitto of one's own: a free loopback port, a folder of its own, what it holds kept across a stop."""

import getpass
import os
import socket
import subprocess
import time

from child import end, start


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """Settings beyond these go into `extra`, lines of mosquitto.conf."""

    def __init__(self, folder, extra=()):
        self.port = free_port()
        self.process = None
        self.config = os.path.join(folder, "mosquitto.conf")
        self.log = os.path.join(folder, "mosquitto.log")
        lines = ["listener %d 127.0.0.1" % self.port, "allow_anonymous true", "user " + getpass.getuser(), "persistence true",
                 "persistence_location %s/" % folder, "autosave_on_changes true", "autosave_interval 1",
                 "max_queued_messages 0", "log_dest file " + self.log, *extra]
        with open(self.config, "w") as config:
            config.write("\n".join(lines) + "\n")

    def start(self):
        program = next((p for p in ("/usr/sbin/mosquitto", "/usr/bin/mosquitto") if os.path.exists(p)), "mosquitto")
        self.process = start([program, "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("mosquitto does not listen on port %d, see %s" % (self.port, self.log))

    def stop(self):
        """Ends it as a service manager does, so that it writes its sessions down; a kill would lose them."""
        if self.process is not None:
            end(self.process)
            self.process = None
