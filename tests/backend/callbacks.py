"""Tells a user, who gave an address, that an order is complete. At least once: the order's id is in it."""
import logging
import time
import urllib.request

from backend.orders import as_json

LOG = logging.getLogger(__name__)
PATIENCE = 3.0  # seconds for an answer
EVERY = 0.2


class Callbacks:
    """One thread. An address that does not answer is called again with growing pauses, and delays others by PATIENCE."""

    def __init__(self, open_db):
        self.open_db = open_db

    def run(self, stop):
        db = None
        while not stop.wait(EVERY):
            try:
                db = db or self.open_db()
                for order, address in db.to_call(time.time()):
                    if self.call(address, order, db.answers(order)):
                        db.called(order, time.time())
            except Exception as error:  # the db; what is not noted is called again
                LOG.warning("callbacks: %r", error)
                db = None
                stop.wait(1)
        if db:
            db.close()

    @staticmethod
    def call(address, order, answers):
        request = urllib.request.Request(address, as_json(order, answers).encode(), {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE):
                return True
        except (OSError, ValueError) as error:
            LOG.warning("callback of order %s to %s: %s", order, address, error)
            return False
