"""A RabbitMQ node and a Redis server for one run: own folder, own ports, loopback only, with the settings that are shipped.

The node runs as whoever calls, beside a packaged one that it neither needs nor touches: own cookie, own epmd, own names.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests" / "e2e"))

from lab import free_port, wait_for  # noqa: E402

SHIPPED = ROOT / "systemd" / "broker" / "rabbitmq"


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
        self.port = free_port()

    def start(self):
        self.spawn([shutil.which("redis-server") or "/usr/bin/redis-server", "--bind", "127.0.0.1", "--port", self.port,
                    "--save", "", "--appendonly", "no"])
        self.await_port(self.port, 10)
        return self


class RabbitMQ(Server):
    """`kill` is kill -9 of the node with all that it held in memory; `start` brings it back with the same disk."""

    def __init__(self, folder):
        super().__init__(folder / "rabbitmq", "rabbitmq")
        self.mqtt, self.amqp, self.epmd_port, dist = (free_port() for _ in range(4))
        conf = self.folder / "conf.d"
        conf.mkdir()
        shutil.copy(SHIPPED / "rabbitmq.conf", conf / "10-shipped.conf")
        shutil.copy(SHIPPED / "enabled_plugins", self.folder)
        (conf / "20-here.conf").write_text(  # where it differs from what is shipped: places, and limits of a small machine
            f"load_definitions = {SHIPPED / 'definitions.json'}\nlisteners.tcp.default = 127.0.0.1:{self.amqp}\n"
            f"mqtt.listeners.tcp.default = 127.0.0.1:{self.mqtt}\ndisk_free_limit.absolute = 50MB\n"
            "vm_memory_high_watermark.absolute = 512MB\nlog.console = true\nlog.file = false\n")
        busy = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
        self.env = {
            "HOME": self.folder, "RUNNING_UNDER_SYSTEMD": "true",  # so that the start script becomes the node
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILES": conf / "*.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "enabled_plugins", "RABBITMQ_NODENAME": f"lab{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": self.folder / "data", "RABBITMQ_LOG_BASE": self.folder, "RABBITMQ_DIST_PORT": dist,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{busy} -kernel inet_dist_use_interface {{127,0,0,1}}",
            "ERL_EPMD_PORT": self.epmd_port, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_CRASH_DUMP_SECONDS": "0"}
        self.env = {name: str(value) for name, value in self.env.items()}
        self.epmd = Server(self.folder, "epmd")
        sbin, = pathlib.Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin")
        self.server, self.ctl_program = sbin / "rabbitmq-server", sbin / "rabbitmqctl"

    def start(self):
        if self.epmd.child is None:
            self.epmd.spawn([shutil.which("epmd") or "/usr/bin/epmd", "-address", "127.0.0.1", "-port", self.epmd_port], self.env)
            self.epmd.await_port(self.epmd_port, 5)
        begin = time.monotonic()
        self.spawn([self.server], self.env)
        self.await_port(self.mqtt, 60)
        self.await_port(self.amqp, 60)
        self.took = time.monotonic() - begin
        return self

    def ctl(self, *words, stdin=""):
        done = subprocess.run([self.ctl_program, "-q", *map(str, words)], input=stdin, env={**os.environ, **self.env}, text=True,
                              capture_output=True, timeout=60, cwd=self.folder)
        if done.returncode != 0:
            raise AssertionError(f"rabbitmqctl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def add_users(self, *gateways, backend="cloud"):
        """By the shipped script, in one import. The password files, by name."""
        files, together = {}, {}
        for name in (*gateways, backend):
            files[name] = self.folder / f"{name}.password"
            flag = ["--backend"] if name == backend else []
            made = subprocess.run([SHIPPED / "gateway-user", *flag, name, files[name]], check=True, capture_output=True, text=True)
            for kind, entries in json.loads(made.stdout).items():
                together.setdefault(kind, []).extend(entries)
        self.ctl("import_definitions", stdin=json.dumps(together))
        return files

    def stop(self):
        self.kill()
        self.epmd.kill()
