"""A gateway's surroundings on loopback: broker, simulated meters, the agent, and a backend that believes nothing.

Every process belongs to the Lab and is ended by it. Waits are bounded; a wait that runs out fails the test with what was seen.
"""
import collections
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from fault_proxy import FaultProxy  # noqa: E402
from peers import mqtt_client  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("METERGATE_BUILD", ROOT / "build" / "release"))
AGENT = BUILD / "agent" / "metergate"
SIM = BUILD / "tests" / "sim" / "metersim"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


class Process:
    """One child with its standard error in a file."""

    def __init__(self, lab, name, argv, env=None, stdout=None):
        self.name, self.argv, self.lab = name, [str(a) for a in argv], lab
        self.env = {**os.environ, **(env or {})}
        self.log_path = lab.folder / f"{name}.log"
        self.stdout = stdout
        self.child = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.stdout or log, stderr=log, env=self.env)
        return self

    def running(self):
        return self.child is not None and self.child.poll() is None

    def kill(self, sig=signal.SIGKILL, seconds=10):
        if self.running():
            self.child.send_signal(sig)
            if sig == signal.SIGKILL:
                os.kill(self.child.pid, signal.SIGCONT)
        return self.wait(seconds)

    def wait(self, seconds=10):
        if self.child is None:
            return None
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"{self.name} did not end within {seconds} s; its log ends:\n{self.log()[-2000:]}")

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Broker(Process):
    """Mosquitto. A clean stop keeps its sessions; a kill loses them, as its manual says."""

    def __init__(self, lab, port=None, extra=""):
        self.port = port or free_port()
        store = lab.folder / "broker"
        store.mkdir(exist_ok=True)
        config = lab.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {store}/\n"
            f"autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\nlog_type all\nlog_dest stderr\n"
            f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}\n{extra}")
        binary = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        super().__init__(lab, "broker", [binary, "-c", config])

    def start(self):
        super().start()

        def listens():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for("the broker's port", 10, listens)
        return self


class Sim(Process):
    """The meter simulator, with its log of every frame."""

    def __init__(self, lab, name, argv):
        self.frames_path = lab.folder / f"{name}.frames"
        self.control_path = lab.folder / f"{name}.control"
        super().__init__(lab, name, [SIM, *argv, "--log", self.frames_path, "--control", self.control_path],
                         stdout=subprocess.PIPE)

    def start(self):
        super().start()
        line = self.child.stdout.readline()
        assert line.startswith(b"ready"), f"{self.name} said {line!r}; log: {self.log()}"
        return self

    def tell(self, command):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(command.encode() + b"\n", str(self.control_path))

    def frames(self):
        if not self.frames_path.exists():
            return []
        out = []
        for line in self.frames_path.read_text().splitlines():
            try:
                out.append(json.loads(line))
            except ValueError:
                pass  # the last line is being written
        return out


class Agent(Process):
    def __init__(self, lab, flags, name="agent", env=None):
        self.control = lab.folder / f"{name}.control"
        super().__init__(lab, name, [AGENT, "run", *flags, "--control", self.control], env=env)

    def ask(self, question="status"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(self.control))
            s.sendall(json.dumps({"ask": question}).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                piece = s.recv(65536)
                if not piece:
                    break
                data += piece
        return json.loads(data)


class Backend:
    """Consumes with a persistent session; keeps every record's exact text under its id and refuses a second one."""

    def __init__(self, port, gateway="gw", prefix="metergate", client="backend"):
        self.gateway, self.prefix = gateway, prefix
        self.lock = threading.Lock()
        self.records = {}          # id -> text, guarded by lock
        self.arrived = {}          # id -> monotonic time of the first arrival
        self.order = []            # ids in the order of their first arrival
        self.repeats = 0
        self.repeated = set()      # ids that came more than once
        self.conflicts = []
        self.results = collections.defaultdict(list)  # command -> [(id, record)]
        self.status, self.catalogs = [], []
        self.client = mqtt_client(client)
        self.client.on_connect = lambda c, *_: c.subscribe([(f"{prefix}/+/{t}", 1) for t in
                                                             ("readings", "results", "events", "status", "catalog")])
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_message = self._message
        self.client.reconnect_delay_set(0.2, 1)
        self.client.connect("127.0.0.1", port, keepalive=10)
        self.client.loop_start()
        assert self.subscribed.wait(10), "the backend could not subscribe"

    def _message(self, _client, _userdata, message):
        topic = message.topic.rsplit("/", 1)[1]
        text = message.payload.decode()
        body = json.loads(text)
        with self.lock:
            if topic == "status":
                self.status.append(body)
                return
            if topic == "catalog":
                self.catalogs.append(body)
                return
            for raw in split_records(text):
                record = json.loads(raw)
                known = self.records.get(record["id"])
                if known is None:
                    self.records[record["id"]] = raw
                    self.arrived[record["id"]] = time.monotonic()
                    self.order.append(record["id"])
                else:
                    self.repeats += 1
                    self.repeated.add(record["id"])
                    if known != raw:
                        self.conflicts.append((record["id"], known, raw))
                if topic == "results":
                    self.results[record["command"]].append((record["id"], record))

    def send(self, command, gateway=None):
        payload = command if isinstance(command, (bytes, str)) else json.dumps(command)
        info = self.client.publish(f"{self.prefix}/{gateway or self.gateway}/commands", payload, qos=1)
        info.wait_for_publish(10)

    def result(self, command, seconds=10):
        return wait_for(f"the result of {command}", seconds, lambda: self.results.get(command))[0][1]

    def all(self, lane=None):
        with self.lock:
            records = [json.loads(text) for text in self.records.values()]
        return [r for r in records if lane is None or r["id"].split("/")[2] == lane]

    def events(self, name):
        return [r for r in self.all("events") if r["event"] == name]

    def gaps(self):
        """(epoch, lane) -> the numbers that are missing below the highest one seen."""
        seen = collections.defaultdict(set)
        with self.lock:
            for ident in self.records:
                _gateway, epoch, lane, number = ident.split("/")
                seen[epoch, lane].add(int(number))
        return {key: sorted(set(range(1, max(n) + 1)) - n) for key, n in seen.items() if len(n) != max(n)}

    def close(self):
        self.client.loop_stop()
        self.client.disconnect()


def split_records(text):
    """The exact text of each record in a message."""
    start = text.index("[", text.index('"records"')) + 1
    decoder = json.JSONDecoder()
    out, at = [], start
    while text[at] != "]":
        if text[at] in ", ":
            at += 1
            continue
        _value, end = decoder.raw_decode(text, at)
        out.append(text[at:end])
        at = end
    return out


class Lab:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="metergate-"))
        self.processes, self.backends, self.proxies = [], [], []

    def add(self, process):
        self.processes.append(process)
        return process

    def broker(self, **kwargs):
        return self.add(Broker(self, **kwargs)).start()

    def proxy(self, target):
        self.proxies.append(FaultProxy(target))
        return self.proxies[-1]

    def sim(self, *argv, name="sim"):
        return self.add(Sim(self, name, argv)).start()

    def agent(self, *flags, name="agent", env=None):
        return self.add(Agent(self, flags, name=name, env=env)).start()

    def backend(self, port, **kwargs):
        self.backends.append(Backend(port, **kwargs))
        return self.backends[-1]

    def close(self, keep=False):
        for each in (*self.backends, *self.proxies):
            each.close()
        for process in reversed(self.processes):
            if process.running():
                process.child.kill()
                process.child.wait()
            if process.child is not None and process.child.stdout:
                process.child.stdout.close()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)
