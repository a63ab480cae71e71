"""Everything between a user and the meters, on one machine: brokers, simulated meters, gateways and the reference backend."""
import contextlib
import pathlib
import sys
import time

import pika
import redis

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS), str(TESTS / "e2e"), str(TESTS / "lib")]

from backend.service import Backend  # noqa: E402
from backend.db import open_db  # noqa: E402
from brokers import RabbitMQ, Redis  # noqa: E402
from lab import SIM, Lab, wait_for  # noqa: E402
from metersim import MeterSim  # noqa: E402
from postgres import Postgres  # noqa: E402


class World(contextlib.ExitStack):
    """Ends, in turn, whatever was started in it, and leaves nothing behind."""

    def __init__(self, *gateways, postgres=False):
        super().__init__()
        self.lab = Lab()
        self.callback(self.lab.close)
        try:
            self.rabbit, self.redis = RabbitMQ(self.lab.folder), Redis(self.lab.folder)
            self.postgres = Postgres() if postgres else None
            for server in filter(None, (self.rabbit, self.redis, self.postgres)):
                self.callback(server.stop)
                server.start()
            self.place = self.postgres.new_database() if postgres else self.lab.folder / "backend.db"
            self.passwords = self.rabbit.add_users(*gateways)
        except BaseException:
            self.close()
            raise

    def parameters(self, user="cloud"):
        word = self.passwords[user].read_text().strip()
        return pika.ConnectionParameters("127.0.0.1", self.rabbit.amqp, "/", pika.PlainCredentials(user, word), heartbeat=30,
                                         socket_timeout=5, blocked_connection_timeout=10)

    def connect(self, user="cloud"):
        return pika.BlockingConnection(self.parameters(user))

    def redis_client(self):
        return redis.Redis(port=self.redis.port, decode_responses=True, socket_timeout=0.3, socket_connect_timeout=0.3)

    def backend(self, devices, **how):
        """`devices` is {device: (gateway, meter)}."""
        backend = Backend(self.parameters(), self.connect, self.redis_client, self.place, **how)
        for device, place in devices.items():
            backend.db.rows("INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT DO NOTHING", device, *place)
        self.callback(backend.close)
        return backend.start()

    def db(self):
        db = open_db(self.place)
        self.callback(db.close)
        return db

    def meters(self, name, *flags):
        return self.enter_context(MeterSim(str(SIM), str(self.lab.folder), *flags, name=name))

    def gateway(self, name, *flags):
        agent = self.lab.agent(
            "--gateway-id", name, "--upstream", f"mqtt://127.0.0.1:{self.rabbit.mqtt}", "--username", name,
            "--password-file", self.passwords[name], "--store", self.lab.folder / f"{name}.db", "--trust-clock",
            "--backoff-min", "200ms", "--backoff-max", "2s", *flags, name=name)
        self.callback(agent.kill)
        return agent

    @staticmethod
    def await_state(backend, gateway, state):
        """Until the backend has heard that the gateway is `online` or `offline`."""
        wait_for(f"{gateway} {state}", 20, lambda: any(s == state for _g, s, *_at in backend.db.presence(time.time(), gateway)))
