"""A RabbitMQ node and a Redis server for one run: own folder, own ports, loopback only, with the settings that are shipped.

The node runs as whoever calls, beside a packaged one that it neither needs nor touches: own cookie, own epmd, own names.
With BROKER_ROOT=FOLDER it is the rabbitmq-server of that root, a Debian of another suite; this needs root.
"""
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests" / "e2e"))

from lab import wait_for  # noqa: E402

SHIPPED = ROOT / "systemd" / "broker" / "rabbitmq"


def low_port():
    """Below the range from which clients take theirs: one that probes a closed port of that range can connect to itself, and
    then the server cannot listen."""
    while True:
        port = random.randrange(11000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


class Place:
    """Where a RabbitMQ is installed: this machine, or a root of another Debian suite."""

    def __init__(self, root=os.environ.get("BROKER_ROOT")):
        self.root = pathlib.Path(root) if root else None
        sbins = sorted((self.root or pathlib.Path("/")).glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))
        if not sbins:
            raise AssertionError(f"there is no rabbitmq-server below {self.root or '/'}")
        self.version = tuple(int(n) for n in sbins[-1].parent.name.split("-")[1].split("."))
        self.sbin = pathlib.Path("/") / sbins[-1].relative_to(self.root or "/")

    def command(self, folder, *argv):
        """Runs it there, in `folder`, which is seen under the same name. Its mounts end with it."""
        argv = [str(word) for word in argv]
        if self.root is None:
            return argv
        for path in (folder, "proc", "dev", "etc"):
            (self.root / str(path).lstrip("/")).mkdir(parents=True, exist_ok=True)
        (self.root / "etc/hosts").touch()
        script = ('mount --rbind "$2" "$1$2" && mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && '
                  'mount --bind /etc/hosts "$1/etc/hosts" && root=$1 folder=$2 && shift 2 && '
                  'exec chroot "$root" env --chdir="$folder" "$@"')
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(self.root), str(folder), *argv]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Server:
    """A process group with its output in a file, ended as a whole."""

    def __init__(self, folder, name):
        self.name, self.folder = name, folder
        folder.mkdir(exist_ok=True)
        self.log_path = folder / f"{name}.log"
        self.child = None

    def spawn(self, argv, env=None):
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env={**os.environ, **(env or {})}, cwd=self.folder, start_new_session=True)

    def await_port(self, port, seconds):
        def up():
            if self.child.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.child.returncode}; its log ends:\n{self.log()[-2000:]}")
            return listens(port)

        wait_for(f"{self.name} on port {port}", seconds, up)

    def kill(self):
        if self.child is not None and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()

    stop = kill

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class Redis(Server):
    def __init__(self, folder):
        super().__init__(folder / "redis", "redis")
        self.port = low_port()

    def start(self):
        self.spawn([shutil.which("redis-server") or "/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", self.port,
                    "--save", "", "--appendonly", "no"])
        self.await_port(self.port, 10)
        return self


class Epmd(Server):
    """By which nodes of one machine find each other."""

    def __init__(self, folder, place):
        super().__init__(folder / "epmd", "epmd")
        self.port, self.home, self.place = low_port(), folder, place
        self.env = {"ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": "127.0.0.1"}

    def start(self):
        if self.child is None:
            self.spawn(self.place.command(self.home, "/usr/bin/epmd", "-address", "127.0.0.1", "-port", self.port), self.env)
            self.await_port(self.port, 5)


class RabbitMQ(Server):
    """`kill` is kill -9 of the node with all that it held in memory; `start` brings it back with the same disk."""

    def __init__(self, folder, name="rabbitmq", settings="", epmd=None, clustered=False):
        """Its shipped settings, then `settings`. Nodes of one cluster share an `epmd` and the cookie of one `folder`."""
        super().__init__(folder / name, name)
        self.place = Place()
        self.version = self.place.version
        self.nodes = [self]
        self.home = folder  # what the node sees of this machine
        self.mqtt, self.amqp, dist = (low_port() for _ in range(3))
        self.epmd = epmd or Epmd(folder, self.place)
        self.node = f"{name}-{os.getpid()}@localhost"
        etc = self.etc = self.folder / "etc"
        etc.mkdir()
        if clustered:
            subprocess.run([SHIPPED / "cluster", "prepare", "--to", etc], check=True, stdout=subprocess.DEVNULL)
        else:
            self.as_shipped()
        (etc / "the-machine.conf").write_text(  # where it differs from what is shipped: places, and limits of a small machine
            f"listeners.tcp.default = 127.0.0.1:{self.amqp}\nmqtt.listeners.tcp.default = 127.0.0.1:{self.mqtt}\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 512MB\n"
            f"log.console = true\nlog.file = false\n{settings}")
        busy = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
        self.env = {
            "HOME": folder, "RUNNING_UNDER_SYSTEMD": "true",  # so that the start script becomes the node
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILES": etc / "*.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": etc / "advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": etc / "enabled_plugins", "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": self.folder / "data", "RABBITMQ_LOG_BASE": self.folder, "RABBITMQ_DIST_PORT": dist,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{busy} -kernel inet_dist_use_interface {{127,0,0,1}}",
            "ERL_CRASH_DUMP_SECONDS": "0", "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none", **self.epmd.env}
        self.env = {name: str(value) for name, value in self.env.items()}
        self.tools = self.folder / "tools"
        self.write_tools()

    def as_shipped(self):
        text, loads = (SHIPPED / "rabbitmq.conf").read_text(), "load_definitions = /etc/rabbitmq/"
        assert text.count(loads) == 1
        (self.etc / "rabbitmq.conf").write_text(text.replace(loads, f"load_definitions = {self.etc}/"))
        for name in ("advanced.config", "enabled_plugins"):
            shutil.copy(SHIPPED / name, self.etc)
        shutil.copy(SHIPPED / "definitions.json", self.etc / "metergate.json")

    def write_tools(self):
        """The node's tools by their own names, for the shipped scripts, which find them on their PATH."""
        self.tools.mkdir(exist_ok=True)
        words = [f"{name}={value}" for name, value in self.env.items()]
        for name in ("rabbitmqctl", "rabbitmq-plugins", "rabbitmq-queues"):
            argv = self.place.command(self.home, "env", *words, self.place.sbin / name)
            (self.tools / name).write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
            (self.tools / name).chmod(0o755)

    def start(self):
        begin = time.monotonic()
        self.launch()
        self.await_ports()
        self.took = time.monotonic() - begin
        return self

    def await_ports(self, seconds=90):
        for port in (self.mqtt, self.amqp):
            self.await_port(port, seconds)

    def launch(self):
        """Without waiting for it."""
        self.epmd.start()
        self.spawn(self.place.command(self.home, self.place.sbin / "rabbitmq-server"), self.env)

    def ctl(self, *words):
        return self.tool(self.tools / "rabbitmqctl", "-q", *words)

    def shipped(self, script, *words):
        """A script of the shipped settings, as an administrator of this node runs it."""
        return self.tool(SHIPPED / script, *words)

    def tool(self, *argv, check=True):
        """What it says on standard output; without `check` (status, all that it says)."""
        env = {**os.environ, "PATH": f"{self.tools}:{os.environ['PATH']}", "TMPDIR": str(self.home)}
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, env=env, text=True, capture_output=True,
                              timeout=240, cwd=self.folder)
        if not check:
            return done.returncode, done.stdout + done.stderr
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return done.stdout

    def add_users(self, *gateways, backend="cloud", look=None):
        """By the shipped script. The password files, by name."""
        files = {name: self.folder / f"{name}.password" for name in (*gateways, backend, look) if name}
        pairs = [word for name in gateways for word in (name, files[name])]
        for flags in (pairs, ["--backend", backend, files[backend]], ["--look", look, files.get(look)]):
            if flags and flags[-1]:
                self.shipped("gateway-user", *flags)
        return files

    def stop(self):
        self.kill()
        self.epmd.kill()


class Cluster:
    """Three nodes, made by the shipped script as its help says. Where one node is meant, the first that runs."""

    def __init__(self, folder):
        (folder / ".erlang.cookie").write_text("ABCDEFGHIJKLMNOPQRST")
        (folder / ".erlang.cookie").chmod(0o400)
        self.epmd = Epmd(folder, Place())
        self.nodes = [RabbitMQ(folder, f"rabbit{n}", epmd=self.epmd, clustered=True) for n in (1, 2, 3)]
        self.version = self.nodes[0].version

    def start(self):
        """Joined and filled; MQTT is still closed."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_port(node.amqp, 90)
        first, *others = self.nodes
        for node in others:
            node.shipped("cluster", "join", first.node)
        self.definitions = first.etc / "metergate.json"
        first.shipped("cluster", "form", 3, "--definitions", self.definitions)
        return self

    def open(self):
        for node in self.nodes:
            node.shipped("cluster", "open", 3, "--definitions", self.definitions)
        for node in self.nodes:
            node.await_ports(20)

    def running(self):
        return [node for node in self.nodes if node.child.poll() is None]

    def ctl(self, *words):
        return self.running()[0].ctl(*words)

    def leader(self, queue):
        rows = json.loads(self.ctl("list_queues", "name", "leader", "--formatter", "json"))
        name, = (row["leader"] for row in rows if row["name"] == queue)
        return next(node for node in self.nodes if node.node == name)

    def add_users(self, *gateways, **others):
        return self.nodes[0].add_users(*gateways, **others)

    def stop(self):
        for node in self.nodes:
            node.kill()
        self.epmd.kill()
