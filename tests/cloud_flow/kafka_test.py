"""Kafka as the log: a real cluster of three brokers. Whatever is killed, every record is in the db once, and each lane is in the log
in its order."""
import signal
import sys
import time
import unittest

from kafka import class_path
from world import World, wait_for

SHARDS, GATEWAYS = 4, 30


class Log(unittest.TestCase):
    def test_every_record_is_stored_once_though_brokers_bridges_and_consumers_are_killed(self):
        self.world = self.enterContext(World(postgres=True, shards=SHARDS, kafka=True))
        self.db = self.world.db()
        bridges, consumers = self.world.bridges(2), self.world.log_consumers(2)
        first = self.world.load("one", gateways=GATEWAYS, messages=10**6, rate=150)
        wait_for("some work", 120, lambda: self.stored() > 200)

        self.world.kafka.kill(0)
        self.goes_on("one of three brokers is dead")
        self.world.kafka.restart(0)
        self.again(bridges[0])
        self.goes_on("a bridge was killed")
        self.again(consumers[0])
        self.goes_on("a consumer was killed", 60)
        first.child.send_signal(signal.SIGTERM)
        sent = self.world.load_ended(first, 200)
        wait_for("all of that", 60, lambda: self.stored() == sent["records"])  # also what the killed one had

        self.refuses_with_one_replica()
        second = self.world.load("two", first=GATEWAYS, gateways=GATEWAYS, messages=10**6, rate=50)
        self.goes_on("the second load")
        self.world.kafka.kill(1, 2)
        time.sleep(8)
        before = self.stored(), self.in_queues()
        time.sleep(12)
        self.assertEqual(self.stored(), before[0])
        self.assertGreater(self.in_queues(), before[1], "acknowledged to RabbitMQ what Kafka did not take")
        self.world.kafka.restart(1, 2)
        self.goes_on("two of three brokers were dead", 120)

        second.child.send_signal(signal.SIGTERM)
        sent["records"] += self.world.load_ended(second, 200)["records"]
        wait_for("every record", 120, lambda: self.stored() == sent["records"] and not self.db.gaps())
        self.assertEqual(self.db.rows("SELECT count(*) FROM records"), [(sent["records"],)])
        self.assertEqual(self.db.rows("SELECT routing_key, why FROM aside"), [])
        (repeats,), = self.db.rows("SELECT sum(repeats) FROM counters")
        in_log = self.first_arrivals_in_order()
        print(f"\n  sent {sent['records']}, in the log {in_log}, stored {self.stored()}, repeats {repeats}, missing none", file=sys.stderr)
        self.assertGreaterEqual(in_log, sent["records"])

    def stored(self):
        return self.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes")[0][0]

    def goes_on(self, after, seconds=60):
        before = self.stored()
        wait_for(f"more records: {after}", seconds, lambda: self.stored() > before + 200)

    @staticmethod
    def again(program):
        program.kill()
        time.sleep(0.5)
        program.start()

    def in_queues(self):
        """What RabbitMQ still has, also what it gave to the bridges; its statistics are some seconds old."""
        rows = self.world.rabbit.ctl("list_queues", "name", "messages").splitlines()
        return sum(int(count) for name, count in (row.split("\t") for row in rows) if ".shards-" in name)

    def refuses_with_one_replica(self):
        """A partition on two brokers, of which one dies: the other knows that it is alone, and says so."""
        import confluent_kafka
        from confluent_kafka.admin import AdminClient, NewTopic
        address = {"bootstrap.servers": self.world.kafka.address, "log_level": 0}
        alone = NewTopic("alone", 1, replica_assignment=[[2, 3]], config={"min.insync.replicas": "2"})
        admin = AdminClient(address)
        admin.create_topics([alone])["alone"].result(60)
        self.world.kafka.kill(2)
        reports = []

        def refused():
            producer = confluent_kafka.Producer({**address, "acks": "all", "retries": 0, "request.timeout.ms": 3000})
            producer.produce("alone", b"x", on_delivery=lambda error, _message: reports.append(error and error.name()))
            producer.flush(5)
            return "NOT_ENOUGH_REPLICAS" in reports

        wait_for("NotEnoughReplicas", 60, refused)
        self.assertNotIn(None, reports[reports.index("NOT_ENOUGH_REPLICAS"):])
        self.world.kafka.restart(2)

    def first_arrivals_in_order(self):
        """Reads the whole log. How many records are in it, with repeats."""
        import confluent_kafka

        from backend.log import TOPIC
        from backend.message import records_of
        reader = confluent_kafka.Consumer({"bootstrap.servers": self.world.kafka.address, "group.id": "test", "log_level": 0,
                                           "enable.auto.commit": False})
        self.addCleanup(reader.close)
        ends = {part: reader.get_watermark_offsets(confluent_kafka.TopicPartition(TOPIC, part), timeout=30)[1] for part in range(8)}
        reader.assign([confluent_kafka.TopicPartition(TOPIC, part, 0) for part, end in ends.items() if end])
        highest, count, at = {}, 0, {part: 0 for part in ends}
        while at != ends:
            for message in reader.consume(1000, 5):
                self.assertIsNone(message.error())
                at[message.partition()] = message.offset() + 1
                for record in records_of(message.key().decode(), message.value().decode()):
                    count += 1
                    known = highest.get(record.lane, 0)
                    self.assertLessEqual(record.number, known + 1, f"{record.lane} {record.number} came before {known + 1}")
                    highest[record.lane] = max(known, record.number)
        return count


if __name__ == "__main__":
    class_path()  # or the end, as skipped
    unittest.main(verbosity=2)
