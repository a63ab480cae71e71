"""Everything between a user and the meters, on one machine: brokers, simulated meters, gateways and the reference backend."""
import contextlib
import dataclasses
import json
import pathlib
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS), str(TESTS / "e2e"), str(TESTS / "lib")]

from backend import shards as sharding  # noqa: E402
from backend.service import Backend  # noqa: E402
from backend.settings import Settings  # noqa: E402
from brokers import SHIPPED, RabbitMQ, Redis, Server  # noqa: E402
from lab import SIM, Lab, free_port, wait_for  # noqa: E402
from metersim import MeterSim  # noqa: E402
from postgres import Postgres  # noqa: E402
from user import User  # noqa: E402


class World(contextlib.ExitStack):
    """Ends, in turn, whatever was started in it, and leaves nothing behind."""

    def __init__(self, *gateways, postgres=False, shards=0, kafka=False, broker=RabbitMQ):
        super().__init__()
        if kafka:
            from kafka import Kafka, class_path  # only who wants it needs Kafka's client
            class_path()  # or the end, as skipped
        self.lab, self.shards = Lab(), shards
        self.callback(self.lab.close)
        try:
            self.rabbit, self.redis = broker(self.lab.folder), Redis(self.lab.folder)
            if shards:
                self._prepare_shards()
            self.postgres = Postgres() if postgres else None
            for server in filter(None, (self.rabbit, self.redis, self.postgres)):
                self.callback(server.stop)
                server.start()
            self.kafka = Kafka(self.lab.folder) if kafka else None
            if kafka:
                self.callback(self.kafka.stop)
                self.kafka.start()
            self.passwords = self.rabbit.add_users(*gateways)
            if shards:
                self.rabbit.ctl("set_permissions", "cloud", "^$", r"^(amq\.topic|metergate\.backlog-.*)$", r"^metergate\..*$")
            place = self.postgres.new_database() if postgres else self.lab.folder / "backend.db"
            self.settings = Settings(amqp=self.amqp("cloud", self.passwords["cloud"].read_text().strip()), db=str(place),
                                     redis=f"redis://127.0.0.1:{self.redis.port}", kafka=self.kafka.address if kafka else "")
        except BaseException:
            self.close()
            raise

    def amqp(self, user, word):
        return ",".join(f"amqp://{user}:{word}@127.0.0.1:{node.amqp}/%2F" for node in self.rabbit.nodes)

    def _prepare_shards(self):
        etc = self.rabbit.etc
        (etc / "enabled_plugins").write_text("[rabbitmq_mqtt,rabbitmq_consistent_hash_exchange].")
        (etc / "metergate.json").write_text(sharding.definitions((SHIPPED / "definitions.json").read_text(), self.shards))

    def settings_file(self, **changes):
        path = self.lab.folder / f"settings-{len(list(self.lab.folder.glob('settings-*')))}.json"
        path.touch(0o600)
        path.write_text(json.dumps({**dataclasses.asdict(self.settings), **changes}))
        return path

    def program(self, name, *words):
        """python3 -m backend WORDS as a process of its own, ended with the rest."""
        server = Server(self.lab.folder, name)
        server.command = ["/usr/bin/python3", "-B", "-m", "backend", *words]
        server.start = lambda: server.spawn(server.command, {"PYTHONPATH": str(TESTS)})
        server.start()
        self.callback(server.kill)
        return server

    def consumers(self, count, settings=None, **how):
        settings = settings or self.settings_file()
        return [self.program(f"consumer-{n}", "consume", "--settings", settings, "--shards", self.shards, "--number", n,
                             "--consumers", count, *(f"--{name}" for name, wanted in how.items() if wanted)) for n in range(count)]

    def backend(self, devices, **how):
        """`devices` is {device: (gateway, meter)}."""
        backend = Backend(self.settings, **how)
        for device, place in devices.items():
            backend.db.rows("INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT DO NOTHING", device, *place)
        self.callback(backend.close)
        return backend.start()

    def bridges(self, count):
        return [self.program(f"bridge-{n}", "bridge", "--settings", self.settings_file(), "--shards", self.shards, "--number", n,
                             "--consumers", count) for n in range(count)]

    def log_consumers(self, count):
        return [self.program(f"log-consumer-{n}", "consume-log", "--settings", self.settings_file(), "--number", n)
                for n in range(count)]

    def web(self, devices, *flags):
        """The backend as a process of its own, and a user of it."""
        for device, place in devices.items():
            self.db().rows("INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT DO NOTHING", device, *place)
        port = free_port()
        server = self.program("web", "serve", "--settings", self.settings_file(), "--port", port, *flags,
                              *(["--shards", self.shards] if self.shards else ["--consume"]))
        server.await_port(port, 30)
        user = User(port)
        user.server = server
        return user

    def load(self, name="load", **how):
        """Starts load.py; `load_ended` has what it says in the end."""
        self.rabbit.ctl("add_user", name, "load")
        self.rabbit.ctl("set_permissions", name, "^$", r"^amq\.topic$", "^$")
        settings = self.settings_file(amqp=self.amqp(name, "load"))
        server = Server(self.lab.folder, name)
        server.spawn(["/usr/bin/python3", "-B", pathlib.Path(__file__).with_name("load.py"), settings,
                      *(word for key, value in how.items() for word in (f"--{key}", value))])
        self.callback(server.kill)
        return server

    @staticmethod
    def load_ended(server, seconds):
        server.child.wait(seconds)
        assert server.child.returncode == 0, server.log()
        return json.loads(server.log().splitlines()[-1])

    def db(self):
        db = self.settings.open_db()
        self.callback(db.close)
        return db

    def meters(self, name, *flags):
        return self.enter_context(MeterSim(str(SIM), str(self.lab.folder), *flags, name=name))

    def gateway(self, name, *flags):
        agent = self.lab.agent(
            "--gateway-id", name, *(w for node in self.rabbit.nodes for w in ("--upstream", f"mqtt://127.0.0.1:{node.mqtt}")),
            "--username", name, "--password-file", self.passwords[name], "--store", self.lab.folder / f"{name}.db", "--trust-clock",
            "--backoff-min", "200ms", "--backoff-max", "2s", *flags, name=name)
        self.callback(agent.kill)
        return agent

    @staticmethod
    def await_state(backend, gateway, state):
        """Until the backend has heard that the gateway is `online` or `offline`."""
        wait_for(f"{gateway} {state}", 20, lambda: any(s == state for _g, s, *_at in backend.db.presence(time.time(), gateway)))
