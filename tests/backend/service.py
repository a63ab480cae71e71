"""The parts put together: what a user can ask of the backend, and the two threads that work behind."""
import datetime
import threading
import uuid

from backend.consumer import Consumer
from backend.orders import Orders
from backend.sender import Commands, Sender


def time_text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Backend:
    """receipts: the gateways run with --delivery receipt. replay: gaps are asked for; without, they stay open questions.
    consume: with a consumer in this process; without, others do it (python3 -m backend consume)."""

    def __init__(self, settings, receipts=False, replay=False, consume=True):
        self.db, self.stop = settings.open_db(), threading.Event()
        self.orders = Orders(settings.redis_client(), self.db)
        self.sender = Sender(settings.parameters(), settings.open_db, replay)
        self.commands = Commands(self.db, self.sender.wake)
        consumer = Consumer(settings.connect, settings.open_db, Orders(settings.redis_client()), receipts)
        self.threads = [threading.Thread(target=consumer.run, args=(self.stop,), daemon=True)] if consume else []

    def start(self):
        for thread in (*self.threads, self.sender):
            thread.start()
        return self

    def close(self):
        self.stop.set()
        self.sender.close()
        for thread in self.threads:
            thread.join()
        self.db.close()

    def order(self, devices, points, expires_in=None):
        """A user orders readings of devices. It is accepted when it is in the db, whatever the broker does. Returns what to poll;
        the results come by and by."""
        order, commands = uuid.uuid4().hex[:12], []
        for device in devices:
            (gateway, meter), = self.db.rows("SELECT gateway, meter FROM devices WHERE device = ?", device)
            command = {"id": uuid.uuid4().hex, "op": "read", "meter": meter, "points": points}
            if expires_in is not None:
                at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=expires_in)
                command["expires_at"] = time_text(at)
            commands.append((gateway, command, device))
        with self.db.engine.transaction():
            for gateway, command, device in commands:
                self.db.open(gateway, command, order=order, device=device)
        self.sender.wake()
        return order

    def poll(self, order):
        return self.orders.poll(order)
