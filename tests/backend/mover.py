"""Step 1 of a pile-up: empties full queues into many others as fast as the broker can, without looking into a message.

The queues' own consumers are stopped first: a queue has a single active consumer, and that is the mover now. It also takes what
comes meanwhile, so each lane keeps its order. Step 2: ten times the consumers on the new queues (python3 -m backend consume
--backlog COUNT --number N --consumers COUNT --until-empty). Then the own consumers are started again."""
import collections
import time

from backend import shards

WINDOW = 2000  # messages that are taken and not yet confirmed


def make(channel, count):
    """The exchange and its queues; needs a user who may configure them."""
    name = shards.exchange(count, "backlog")
    channel.exchange_declare(name, "x-consistent-hash", durable=True)
    for queue in shards.queues(count, "backlog"):
        channel.queue_declare(queue, durable=True, arguments=shards.QUEUE)
        channel.queue_bind(queue, name, shards.WEIGHT)
    return name


class Mover:
    """Publishes each message as it came, and acknowledges it where it came from after the broker's confirm: a mover that dies
    makes repeats. Its connection is asynchronous, so that many are on their way at once."""

    def __init__(self, parameters, sources, exchange, say=print, idle=3.0):
        self.parameters, self.sources, self.exchange, self.say, self.idle = parameters, sources, exchange, say, idle
        self.waiting, self.moved, self.number, self.failure = collections.OrderedDict(), 0, 0, None  # waiting: by tag of publishing

    def run(self):
        """Until nothing has come for `idle` seconds. Returns how many were moved."""
        import pika
        self.began = self.last = time.monotonic()
        self.connection = pika.SelectConnection(self.parameters, self._on_open, self._on_end, self._on_end)
        self.connection.ioloop.start()
        if self.failure:
            raise self.failure
        return self.moved

    def _on_open(self, connection):
        connection.channel(on_open_callback=self._on_channel)

    def _on_end(self, connection, error):
        if not self._done():
            self.failure = error
        connection.ioloop.stop()

    def _done(self):
        return not self.waiting and time.monotonic() - self.last > self.idle

    def _on_channel(self, channel):
        self.channel = channel
        channel.confirm_delivery(self._on_confirm)
        channel.basic_qos(prefetch_count=WINDOW)
        for queue in self.sources:
            channel.basic_consume(queue, self._on_message, arguments={"x-priority": 20})
        self._watch()

    def _on_message(self, channel, method, properties, body):
        channel.basic_publish(self.exchange, method.routing_key, body, properties)
        self.number += 1
        self.waiting[self.number] = method.delivery_tag
        self.last = time.monotonic()

    def _on_confirm(self, frame):
        last = frame.method.delivery_tag
        if frame.method.NAME != "Basic.Ack":
            self.channel.basic_nack(self.waiting.pop(last))  # comes again
            return
        tags = [tag for tag in self.waiting if tag <= last] if frame.method.multiple else [last]
        for tag in tags:
            self.channel.basic_ack(self.waiting.pop(tag))
        self.moved += len(tags)

    def _watch(self):
        if self._done():
            self.connection.close()
            return
        self.say(f"{time.monotonic() - self.began:6.1f} s  {self.moved} moved, {len(self.waiting)} on their way")
        self.connection.ioloop.call_later(1, self._watch)
