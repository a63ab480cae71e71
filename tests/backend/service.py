"""The parts put together: what a user can ask of the backend, and the threads that work behind."""
import threading

from backend.callbacks import Callbacks
from backend.consumer import Consumer
from backend.orders import Orders
from backend.sender import Commands, Sender


class Backend:
    """receipts: the gateways run with --delivery receipt. replay: gaps are asked for; without, they stay open questions.
    consume: with a consumer in this process; without, others do it (python3 -m backend consume)."""

    def __init__(self, settings, receipts=False, replay=False, consume=True):
        self.settings, self.db, self.stop = settings, settings.open_db(), threading.Event()
        self.orders = Orders(settings.redis_client(), self.db)
        self.sender = Sender(settings.nodes(), settings.open_db, replay)
        self.commands = Commands(self.db, self.sender.wake)
        self.callbacks = Callbacks(settings.open_db)
        consumer = Consumer(settings.connect, settings.open_db, Orders(settings.redis_client()), receipts)
        self.threads = [threading.Thread(target=consumer.run, args=(self.stop,), daemon=True)] if consume else []
        self.threads.append(threading.Thread(target=self.callbacks.run, args=(self.stop,), daemon=True))

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

    def order(self, devices, points=None, **how):
        """Returns what to poll; the results come by and by."""
        order = self.db.order(devices, points, **how)
        self.sender.wake()
        return order

    def poll(self, order):
        return self.orders.poll(order)
