"""The parts put together: what a user can ask of the backend, and the two threads that work behind."""
import datetime
import threading
import time
import uuid

from backend.commands import Commands
from backend.consumer import Consumer
from backend.db import Db
from backend.orders import Orders


class Backend:
    """`connect` makes a connection to RabbitMQ, `redis` is a client of Redis, `path` the db's file.

    receipts: the gateways run with --delivery receipt. replay: gaps are asked for; without, they stay open questions."""

    def __init__(self, connect, redis, path, receipts=False, replay=False):
        self.connect, self.redis, self.path, self.receipts, self.replay = connect, redis, path, receipts, replay
        self.db = Db(path)
        self.orders = Orders(redis, self.db)
        self.commands = Commands(connect, self.db)
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self._consume), threading.Thread(target=self._repeat)]

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def close(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        self.commands.close()

    def order(self, devices, points, expires_in=None):
        """A user orders readings of devices. Returns what to poll; the results come by and by."""
        order = uuid.uuid4().hex[:12]
        self.orders.open(order, devices)
        for device in devices:
            (gateway, meter), = self.db.rows("SELECT gateway, meter FROM devices WHERE device = ?", device)
            command = {"op": "read", "meter": meter, "points": points}
            if expires_in is not None:
                at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=expires_in)
                command["expires_at"] = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
            self.commands.send(gateway, command, order=order, device=device)
        return order

    def poll(self, order):
        return self.orders.poll(order)

    def _consume(self):
        db = Db(self.path)
        Consumer(self.connect, db, Orders(self.redis, db), self.receipts).run(self.stop)

    def _repeat(self):
        commands = Commands(self.connect, Db(self.path))
        while not self.stop.wait(0.5):
            commands.repeat(time.time())
            if self.replay:
                commands.ask_again(time.time())
        commands.close()
