"""Everything between a user and the meters, on one machine: brokers, simulated meters, gateways and the reference backend."""
import contextlib
import pathlib
import sys

import pika
import redis

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[1:1] = [str(TESTS), str(TESTS / "e2e"), str(TESTS / "lib")]

from backend.service import Backend  # noqa: E402
from brokers import RabbitMQ, Redis  # noqa: E402
from lab import SIM, Lab, wait_for  # noqa: E402
from metersim import MeterSim  # noqa: E402


class World(contextlib.ExitStack):
    """Ends, in turn, whatever was started in it, and leaves nothing behind."""

    def __init__(self, *gateways):
        super().__init__()
        self.lab = Lab()
        self.callback(self.lab.close)
        try:
            self.rabbit, self.redis = RabbitMQ(self.lab.folder), Redis(self.lab.folder)
            for server in (self.rabbit, self.redis):
                self.callback(server.stop)
                server.start()
            self.passwords = self.rabbit.add_users(*gateways)
        except BaseException:
            self.close()
            raise

    def connect(self, user="cloud"):
        word = self.passwords[user].read_text().strip()
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.rabbit.amqp, "/", pika.PlainCredentials(user, word), heartbeat=30, socket_timeout=5,
            blocked_connection_timeout=10))

    def backend(self, devices, **how):
        """With its db in the lab's folder; `devices` is {device: (gateway, meter)}."""
        client = redis.Redis(port=self.redis.port, decode_responses=True)
        backend = Backend(self.connect, client, self.lab.folder / "backend.db", **how)
        for device, place in devices.items():
            backend.db.rows("INSERT OR REPLACE INTO devices VALUES (?, ?, ?)", device, *place)
        self.callback(backend.close)
        return backend.start()

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
        wait_for(f"{gateway} {state}", 20, lambda: backend.db.rows(
            "SELECT 1 FROM gateways WHERE gateway = ? AND status ->> 'state' = ?", gateway, state))
