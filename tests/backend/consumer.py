"""Everything that comes from gateways. A message is acknowledged to the broker after its commit, and not before."""
import json
import logging
import time

from backend import EXCHANGE, ONE_CONSUMER, PREFIX

LOG = logging.getLogger(__name__)
MOST, LONGEST = 500, 0.05  # messages and seconds of one transaction
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
FOREIGN_AFTER = 2.0  # seconds that the own consumer of a queue has to come first
HAND_BACK = 30.0


class Consumer:
    """One thread or process. Each queue has a single active consumer; the others that ask for it stand by and take over by
    themselves. `own` are the queues of this consumer, `others` those it takes only if their own is away.

    Order in `run`: the db is reached first. A consumer without a db that took messages would only give them back, and each time
    counts towards the broker's delivery limit."""

    def __init__(self, connect, open_db, orders, receipts=False, own=ONE_CONSUMER, others=(), idle=None):
        self.connect, self.open_db, self.orders, self.receipts, self.own, self.others = connect, open_db, orders, receipts, own, others
        self.idle = idle  # seconds without a message after which it ends by itself; None: never
        self.batch, self.began = [], None  # of (routing key, body), (channel, last delivery tag)

    def run(self, stop):
        pause = FIRST_PAUSE
        while not stop.is_set():
            try:
                self.db = self.open_db()
                try:
                    with self.connect() as connection:
                        pause = FIRST_PAUSE
                        self.consume(connection, stop)
                        if not stop.is_set():
                            return  # idle
                finally:
                    self.db.close()
            except Exception as error:  # broker or db: what was not acknowledged comes again
                if pause == FIRST_PAUSE:
                    LOG.warning("consumer: %r; trying again", error)
                stop.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    def consume(self, connection, stop):
        self.batch, self.foreign, self.last = [], {}, time.monotonic()
        self.channel = connection.channel()
        self.channel.basic_qos(prefetch_count=2 * MOST)  # of each queue
        for queue in self.own:
            self._take(queue, priority=10)
        stand_by, hand_back = time.monotonic() + FOREIGN_AFTER, time.monotonic() + HAND_BACK
        while not stop.is_set():
            connection.process_data_events(self._patience())
            now = time.monotonic()
            if self.idle is not None and now - self.last > self.idle and not self.batch:
                return
            if self.batch and now >= self.began + LONGEST:
                self.flush()
            if self.others and now >= stand_by:
                stand_by = float("inf")
                for queue in self.others:
                    self._take(queue, priority=0)
            if now >= hand_back:
                hand_back = now + HAND_BACK
                self._hand_back()
        self.flush()

    def _patience(self):
        return max(0.0, self.began + LONGEST - time.monotonic()) if self.batch else 0.2

    def _take(self, queue, priority):
        def on_message(_channel, method, _properties, body):
            if priority == 0:
                self.foreign[queue] = method.consumer_tag
            self.on_message(method, body)

        self.channel.basic_consume(queue, on_message, arguments={"x-priority": priority})

    def _hand_back(self):
        """Ask for foreign queues anew, behind those who wait: if a queue's own consumer is back it gets it. RabbitMQ 4 does that by
        the priority, 3.10 does not. What this one still has of the queue it stores; numbers, not arrival, are the order."""
        for queue, tag in self.foreign.items():
            self.flush()
            self.channel.basic_cancel(tag)
            self._take(queue, priority=0)
        self.foreign = {}

    def on_message(self, method, body):
        if not self.batch:
            self.began = time.monotonic()
        self.batch.append((method.routing_key, body))
        self.tag, self.last = method.delivery_tag, self.began
        if len(self.batch) >= MOST:
            self.flush()

    def flush(self):
        """One transaction for all that is there; then one acknowledgement for all; then those are told who only look on."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        lanes, answers = self.db.store(batch)  # the commit
        if self.receipts:
            for lane in sorted(lanes):  # also when all were repeats: a receipt may have been lost
                self.send_receipt(lane)
        self.channel.basic_ack(self.tag, multiple=True)
        self.orders.fill(answers)

    def send_receipt(self, lane):
        """For gateways with --delivery receipt: they keep a record until it is here. One party only sends receipts."""
        gateway, epoch, name = lane
        self.channel.basic_publish(EXCHANGE, f"{PREFIX}.{gateway}.receipts",
                                   json.dumps({"epoch": epoch, "lane": name, "upto": self.db.upto(lane)}))
