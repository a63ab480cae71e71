"""Everything that comes from gateways. A message is acknowledged to the broker after its commit, and not before."""
import json
import logging
import sqlite3

from backend import EXCHANGE, PREFIX

RECORDS = (f"{PREFIX}.readings", f"{PREFIX}.results", f"{PREFIX}.events")
STATE, UNROUTED = f"{PREFIX}.state", f"{PREFIX}.unrouted"
LOG = logging.getLogger(__name__)
AT_ONCE = 50  # messages that the broker hands out ahead of their acknowledgement


class Consumer:
    """One thread. The queues have a single active consumer: a second backend may stand by, and takes over by itself."""

    def __init__(self, connect, db, orders, receipts=False):
        self.connect, self.db, self.orders, self.receipts = connect, db, orders, receipts

    def run(self, stop):
        failing = False
        while not stop.is_set():
            try:
                with self.connect() as connection:
                    failing = False
                    self.consume(connection, stop)
            except Exception as error:  # broker, db or Redis: what was not acknowledged comes again
                if not failing:
                    LOG.warning("consumer: %r; trying again", error)
                failing = True
                stop.wait(0.5)

    def consume(self, connection, stop):
        channel = connection.channel()
        channel.basic_qos(prefetch_count=AT_ONCE)
        for queue in (*RECORDS, STATE):
            channel.basic_consume(queue, self.on_message)
        channel.basic_consume(UNROUTED, self.on_unrouted)
        while not stop.is_set():
            connection.process_data_events(0.2)

    def on_message(self, channel, method, _properties, body):
        lanes, answers = (), ()
        try:
            _prefix, gateway, kind = method.routing_key.split(".")
            if kind in ("status", "catalog"):
                self.db.state(gateway, kind, body.decode())
            else:
                lanes, answers = self.db.store(gateway, body.decode())  # the commit
        except sqlite3.OperationalError:
            raise  # the db's trouble, not the message's: it has to come again
        except Exception as error:  # whatever a gateway sends, it does not stop the queue
            self.db.put_aside(method.routing_key, f"{type(error).__name__}: {error}", body)
        for answer in answers:
            self.orders.fill(*answer)
        if self.receipts:
            for lane in lanes:  # also when all were repeats: a receipt may have been lost
                self.send_receipt(channel, lane)
        channel.basic_ack(method.delivery_tag)

    def send_receipt(self, channel, lane):
        """For gateways with --delivery receipt: they keep a record until it is here. One party only sends receipts."""
        gateway, epoch, name = lane.split("/")
        channel.basic_publish(EXCHANGE, f"{PREFIX}.{gateway}.receipts",
                              json.dumps({"epoch": epoch, "lane": name, "upto": self.db.upto(lane)}))

    def on_unrouted(self, channel, method, _properties, body):
        """What nobody is subscribed to. A command in here means that no such gateway was ever connected."""
        try:
            _prefix, gateway, kind = method.routing_key.split(".")
            if kind == "commands":
                for answer in self.db.no_such_gateway(gateway, json.loads(body)["id"]):
                    self.orders.fill(*answer)
            elif kind != "receipts":
                raise ValueError("no queue is bound to this key")
        except (ValueError, KeyError, TypeError) as error:
            self.db.put_aside(method.routing_key, f"unrouted: {error}", body)
        channel.basic_ack(method.delivery_tag)
