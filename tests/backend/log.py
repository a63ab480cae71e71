"""Kafka as the cloud's log: what came from the gateways stays there for days, for as many readers as want it.

    queues -> bridge -> topic metergate, key = gateway id: all lanes of a gateway are in one partition, in order
    topic  -> consumer group -> db, each partition's place in the same transaction as its records
"""
import logging
import time

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

TOPIC = "metergate"
ENDLESS = 2**31 - 1  # milliseconds
LOG = logging.getLogger(__name__)
MOST, LONGEST = 500, 0.05


def make_topic(address, partitions=8):
    """On three brokers, so that one may be away: what is acknowledged is on two at least. Nothing if it is there."""
    topic = NewTopic(TOPIC, partitions, 3, config={"min.insync.replicas": "2"})
    admin = AdminClient({"bootstrap.servers": address, "log_level": 2})  # has to live until it has answered
    try:
        admin.create_topics([topic], operation_timeout=30)[TOPIC].result(60)
    except confluent_kafka.KafkaException as error:
        if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
            raise


class Bridge:
    """From RabbitMQ to Kafka. A message is acknowledged to RabbitMQ after Kafka's report that it is on enough brokers, and in the
    order in which it came: up to the first one that has no report yet. While Kafka refuses, nothing is acknowledged, and the
    queues fill. A bridge that dies makes repeats, one window at most; the db knows them."""

    WINDOW = 2000

    def __init__(self, connect, address, own, others=()):
        self.connect, self.address, self.own, self.others = connect, address, own, others

    def run(self, stop):
        failing = False
        while not stop.is_set():
            try:
                producer = confluent_kafka.Producer({
                    "bootstrap.servers": self.address, "enable.idempotence": True, "acks": "all", "delivery.timeout.ms": ENDLESS,
                    "linger.ms": 5, "error_cb": lambda error: LOG.info("kafka: %s", error), "log_level": 2})
                make_topic(self.address)  # Kafka first: what is taken without it would only be given back
                with self.connect() as connection:
                    failing = False
                    self.carry(connection, producer, stop)
            except Exception as error:  # what was not acknowledged comes again
                if not failing:
                    LOG.warning("bridge: %r; trying again", error)
                failing = True
                stop.wait(1)

    def carry(self, connection, producer, stop):
        self.producer, self.error = producer, None
        self.open, self.acked = {}, 0  # by delivery tag: whether Kafka has it
        channel = connection.channel()
        channel.basic_qos(prefetch_count=self.WINDOW)
        for queue in self.own:
            channel.basic_consume(queue, self._take, arguments={"x-priority": 10})
        stand_by = time.monotonic() + 2
        while not stop.is_set():
            connection.process_data_events(0 if self.open else 0.1)
            producer.poll(0.01 if self.open else 0)
            if self.error:
                raise RuntimeError(self.error)
            self._acknowledge(channel)
            if self.others and time.monotonic() > stand_by:
                stand_by = float("inf")
                for queue in self.others:
                    channel.basic_consume(queue, self._take, arguments={"x-priority": 0})

    def _take(self, _channel, method, _properties, body):
        tag = method.delivery_tag
        self.open[tag] = False
        key = method.routing_key.split(".")
        self.producer.produce(TOPIC, body, key[1] if len(key) > 1 else method.routing_key,
                              headers={"key": method.routing_key}, on_delivery=lambda error, _message: self._report(tag, error))

    def _report(self, tag, error):
        if error:  # only one that no retry can mend
            self.error = str(error)
        else:
            self.open[tag] = True

    def _acknowledge(self, channel):
        last = self.acked
        while self.open.get(last + 1):
            last += 1
            del self.open[last]
        if last > self.acked:
            channel.basic_ack(last, multiple=True)
            self.acked = last


class LogConsumer:
    """One member of the group. Its place in each partition is in the db and nowhere else, moved in the transaction that stores the
    records; it is also what two members that believe to have the same partition stumble over: the second one finds the place moved,
    stores nothing and begins anew."""

    GROUP = "metergate-db"

    def __init__(self, address, open_db, orders):
        self.address, self.open_db, self.orders = address, open_db, orders
        self.next, self.failing = {}, False  # next: by partition, as in the db

    def run(self, stop):
        while not stop.is_set():
            try:
                self.db = self.open_db()
                consumer = confluent_kafka.Consumer({
                    "bootstrap.servers": self.address, "group.id": self.GROUP, "enable.auto.commit": False,
                    "auto.offset.reset": "error", "session.timeout.ms": 10000, "error_cb": lambda error: LOG.info("kafka: %s", error), "log_level": 2})
                try:
                    consumer.subscribe([TOPIC], on_assign=self._on_assign)
                    while not stop.is_set():
                        self.step(consumer)
                finally:
                    consumer.close()
                    self.db.close()
            except Exception as error:  # the db, or another member
                if not self.failing:
                    LOG.warning("log consumer: %r; trying again", error)
                self.failing = True
                stop.wait(0.5)

    def _on_assign(self, consumer, partitions):
        for partition in partitions:
            partition.offset = self.next[partition.partition] = self.db.place_in_log(partition.topic, partition.partition)
        consumer.assign(partitions)

    def step(self, consumer):
        """What comes within LONGEST, in one transaction with the places behind it."""
        batch, places = [], {}
        for message in consumer.consume(MOST, LONGEST):
            if message.error():
                raise RuntimeError(str(message.error()))
            places[message.partition()] = self.next[message.partition()], message.offset() + 1
            batch.append((dict(message.headers())["key"].decode(), message.value()))
        if batch:
            _lanes, answers = self.db.store(batch, also=lambda: self.db.move_in_log(TOPIC, places))
            self.failing = False
            self.next.update({part: after for part, (_before, after) in places.items()})
            self.orders.fill(answers)
