"""Four consumers behind the consistent-hash exchange: whatever is killed, every record is in the db once, and no lane lost its order."""
import os
import signal
import sys
import time
import unittest

import pika
from world import World, wait_for

SHARDS, CONSUMERS, GATEWAYS = 8, 4, 40


class Case(unittest.TestCase):
    def start(self, **how):
        self.world = self.enterContext(World(postgres=True, shards=SHARDS))
        self.db = self.world.db()
        self.consumers = self.world.consumers(CONSUMERS)
        wait_for("the consumers", 60, lambda: self.consumers_of_queues() == SHARDS * CONSUMERS)
        return self.world.load(gateways=GATEWAYS, **how)

    def consumers_of_queues(self):
        rows = self.world.rabbit.ctl("list_queues", "name", "consumers").splitlines()
        return sum(int(count) for name, count in (row.split("\t") for row in rows) if ".shards-" in name)

    def counters(self):
        return {name: messages for name, messages in self.db.rows("SELECT consumer, messages FROM counters")}

    def stored(self):
        return self.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes")[0][0]

    def await_account(self, sent, seconds=60):
        """Everything that was sent is here, once, and no number is missing."""
        wait_for("every record", seconds, lambda: self.stored() == sent["records"] and not self.db.gaps())
        self.assertEqual(self.db.rows("SELECT count(*) FROM records"), [(sent["records"],)])
        self.assertEqual(self.db.rows("SELECT routing_key, why FROM aside"), [])
        (repeats,), = self.db.rows("SELECT sum(repeats) FROM counters")
        print(f"\n  sent {sent['records']} (of {sent['repeats']} messages twice), stored {self.stored()}, repeats {repeats}, missing none",
              file=sys.stderr)

    def kill_and_start(self, server, pause):
        server.kill()
        time.sleep(pause)
        server.start()


class Short(Case):
    def test_a_killed_consumer_and_a_killed_db_cost_no_record(self):
        load = self.start(messages=3000, rate=250)
        wait_for("some work of each consumer", 60, lambda: len(self.counters()) == CONSUMERS)
        self.kill_and_start(self.consumers[1], 0.5)
        self.db.close()
        self.kill_and_start(self.world.postgres, 0.5)
        self.db = self.world.db()
        self.await_account(self.world.load_ended(load, 60))


class Shards(Case):
    def test_every_record_is_stored_once_though_consumers_db_and_broker_are_killed(self):
        load = self.start(messages=12000, records=2, rate=900)
        wait_for("some work of each consumer", 60, lambda: len(self.counters()) == CONSUMERS)
        self.kill_and_start(self.consumers[1], 1)
        time.sleep(1)
        self.db.close()
        self.kill_and_start(self.world.postgres, 1)
        self.db = self.world.db()
        time.sleep(2)
        self.kill_and_start(self.world.rabbit, 0)
        self.await_account(self.world.load_ended(load, 120))

    def test_a_frozen_consumer_delays_only_its_lanes_and_loses_nothing(self):
        load = self.start(messages=3000, rate=500)
        wait_for("some work of each consumer", 60, lambda: len(self.counters()) == CONSUMERS)
        frozen = self.consumers[2].child.pid
        os.killpg(frozen, signal.SIGSTOP)
        sent = self.world.load_ended(load, 60)
        wait_for("the others' records", 30, lambda: self.stored() > sent["records"] // 2)
        self.consumers[2].kill()
        self.await_account(sent)

    def test_a_consumer_that_comes_back_gets_its_queues_back(self):
        load = self.start(messages=24000, rate=300)
        wait_for("some work of each consumer", 60, lambda: len(self.counters()) == CONSUMERS)
        self.kill_and_start(self.consumers[0], 3)
        before = wait_for("its first word", 30, lambda: self.counters().get("consumer 0"))
        wait_for("work again", 75, lambda: self.counters()["consumer 0"] > before + 100)
        load.kill()

    def test_another_count_of_queues_loses_nothing(self):
        """From 8 to 12 queues while messages come, in the order that shards.py names."""
        from backend import shards
        load = self.start(messages=6000, rate=500)
        wait_for("some work", 60, lambda: self.stored() > 500)
        text = shards.definitions((self.world.rabbit.etc / "metergate.json").read_text(), 12)
        file = self.world.lab.folder / "twelve.json"
        file.write_text(text)
        self.world.rabbit.ctl("import_definitions", file)
        wait_for("the new queues", 30, lambda: "shards-12.11" in self.world.rabbit.ctl("list_bindings", "destination_name"))
        self.world.rabbit.ctl("add_user", "operator", "word")
        self.world.rabbit.ctl("set_permissions", "operator", ".*", ".*", ".*")
        operator = self.world.settings_file(amqp=self.world.amqp("operator", "word"))
        self.assertEqual(self.world.program("unbind", "unbind", "--settings", operator, "--shards", SHARDS).child.wait(20), 0)
        with self.world.settings.connect() as connection:
            channel = connection.channel()
            wait_for("the old queues empty", 30, lambda: not any(self.length(channel, queue) for queue in shards.queues(SHARDS)))
        time.sleep(0.5)  # what is in hand is committed
        for consumer in self.consumers:
            consumer.child.send_signal(signal.SIGTERM)
            self.assertEqual(consumer.child.wait(20), 0)
        self.world.shards = 12
        self.world.consumers(CONSUMERS)
        self.await_account(self.world.load_ended(load, 60))

    @staticmethod
    def length(channel, queue):
        try:
            return channel.queue_declare(queue, passive=True).method.message_count
        except pika.exceptions.ChannelClosedByBroker:
            raise AssertionError(f"no queue {queue}") from None


if __name__ == "__main__":
    unittest.main(verbosity=2)
