"""RabbitMQ 3.10 and 4 where they differ: what is handed out again and again, refused subscriptions, publishes that it does not
take. None of it costs a record or a command."""
import contextlib
import dataclasses
import json
import socket
import time
import unittest

import pika
from world import World, wait_for  # first: it says where the others are

from backend.settings import Settings
from crash_test import PROFILE
from silent_client import SilentClient

FOUR = (4, 0)


class Case(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World("g"))
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        self.rabbit = self.world.rabbit

    def start(self, *flags):
        self.sim = self.world.meters("meters", "--tcp", 0, "--meters", "1-3", "--counter", "holding:0")
        meters = [w for n in (1, 2, 3) for w in ("--meter", f"id=m{n},bus=b,unit={n},profile=count,every=250ms")]
        self.agent = self.world.gateway("g", "--bus", f"name=b,tcp=127.0.0.1:{self.sim.ports()[0]},connect-timeout=1s", *meters,
                                        "--profile-dir", self.world.lab.folder, *flags)

    def allow_down(self, topics):
        self.rabbit.ctl("set_topic_permissions", "g", "amq.topic", r"^metergate\.g\.", rf"^metergate\.g\.({topics})$")

    def lines(self, text):
        return [line for line in self.agent.log().splitlines() if text in line]

    def connected(self):
        with contextlib.suppress(OSError):
            return self.agent.ask()["uplink"]["connected"]
        return False

    def expect_all(self, backend):
        """The next start tells how many records there were."""
        self.agent.kill(15)
        self.agent.start()
        wait_for("the start of the next epoch", 30, lambda: len(backend.db.epochs("g")) == 2)
        wait_for("every record", 30, lambda: not backend.db.rows("SELECT * FROM gaps"))
        for lane, highest, *which in backend.db.rows("SELECT lane, highest, gateway, epoch, name FROM lanes"):
            self.assertEqual(backend.db.rows("SELECT count(*) FROM records WHERE lane = ?", lane)[0][0], highest, which)
        self.assertEqual(backend.db.rows("SELECT routing_key, why FROM aside"), [])


class DbThatLeaves(Settings):
    """It can be opened, and takes no messages while it is `away`."""
    away, refused, connects = False, 0, 0

    def connect(self):
        self.connects += 1
        return super().connect()

    def open_db(self, *name, **more):
        db = super().open_db(*name, **more)
        store = db.store

        def store_unless_away(messages):
            if self.away:
                self.refused += 1
                raise ConnectionError("the db is away")
            return store(messages)

        db.store = store_unless_away
        return db


class HandedOutAgain(Case):
    def test_a_db_that_is_away_for_30_s_and_50_reconnects_costs_no_record(self):
        """It goes away behind a consumer that has taken messages, each time."""
        settings = self.world.settings = DbThatLeaves(**dataclasses.asdict(self.world.settings))
        backend = self.world.backend({})
        self.start()
        wait_for("records", 20, lambda: backend.db.rows("SELECT count(*) FROM records")[0][0] > 10)
        settings.away = True
        begin, before = time.monotonic(), settings.connects
        wait_for("50 reconnects", 90, lambda: time.monotonic() > begin + 30 and settings.connects >= before + 50)
        self.assertGreaterEqual(settings.refused, 50)
        settings.away = False
        wait_for("what waited", 30, lambda: backend.db.rows("SELECT count(*) FROM records")[0][0] > 300)
        self.expect_all(backend)

    def test_a_consumer_that_fails_100_times_loses_nothing(self):
        self.start()
        wait_for("records", 20, lambda: self.connected() and self.agent.ask()["uplink"]["lanes"]["readings"]["acknowledged"] > 20)
        self.agent.kill(15)
        again = 0
        for _ in range(100):
            connection = self.world.settings.connect()
            channel = connection.channel()
            channel.basic_qos(prefetch_count=1)
            method, _properties, _body = next(channel.consume("metergate.readings", inactivity_timeout=20))
            self.assertIsNotNone(method, "the queue is empty")
            again += method.redelivered
            connection._impl._transport._sock.shutdown(socket.SHUT_RDWR)  # as kill -9 of the consumer
        self.assertGreater(again, 90)
        backend = self.world.backend({})
        self.agent.start()
        wait_for("the start of the next epoch", 30, lambda: len(backend.db.epochs("g")) == 2)
        wait_for("every record", 30, lambda: not backend.db.rows("SELECT * FROM gaps"))

    def test_a_command_survives_100_connects_that_end_before_its_puback(self):
        word = self.world.passwords["g"].read_text().strip()
        client = SilentClient(self.rabbit.mqtt, "g", word)
        client.subscribe("metergate/g/commands")
        client.close()
        channel = self.world.settings.connect().channel()
        channel.confirm_delivery()
        command = {"id": "c-1", "op": "read", "meter": "m1"}
        channel.basic_publish("amq.topic", "metergate.g.commands", json.dumps(command), pika.BasicProperties(delivery_mode=2))
        for _ in range(100):
            client = SilentClient(self.rabbit.mqtt, "g", word)
            self.assertTrue(client.session_present)
            self.assertIn(b"c-1", client.packet(0x30))
            client.close()
        backend = self.world.backend({})
        self.start()
        wait_for("its result", 30, lambda: backend.db.rows("SELECT 1 FROM records WHERE body ->> 'command' = 'c-1'"))


class Refused(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.world.backend({"meter-1": ("g", "m1")})

    def readings(self):
        return self.backend.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes WHERE name = 'readings'")[0][0]

    def answers(self, order):
        return all(self.backend.poll(order).values())

    def test_a_refused_subscription_costs_nothing(self):
        """4.0 says 0x80 in its SUBACK, for the topic and all behind it, then both end the link."""
        self.allow_down("receipts|status")
        self.start()
        wait_for("connections that end", 30, lambda: self.lines("no connection to the broker"))
        if self.rabbit.version >= FOUR:
            wait_for("the refusal in the log", 20, lambda: self.lines("the broker refuses a subscription"))
        time.sleep(5)
        self.assertLess(len(self.lines("")), 60, "the log is not filled")
        self.allow_down("commands|receipts|status")
        wait_for("a connection", 60, self.connected)
        order = self.backend.order(["meter-1"], ["count"])
        wait_for("the answer", 60, lambda: self.answers(order))
        self.expect_all(self.backend)

    def fill_a_queue_of_events(self):
        """That takes no more: each event is then nacked, though the backend's own queue has taken it."""
        self.rabbit.ctl("add_user", "admin", "word")
        self.rabbit.ctl("set_permissions", "admin", ".*", ".*", ".*")
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.rabbit.amqp, "/", pika.PlainCredentials("admin", "word")))
        self.addCleanup(lambda: connection.is_open and connection.close())
        channel = connection.channel()
        channel.queue_declare("full", durable=True, arguments={
            "x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"})
        channel.confirm_delivery()
        with contextlib.suppress(pika.exceptions.NackError):
            for _ in range(20):
                channel.basic_publish("", "full", b"x")
        channel.queue_bind("full", "amq.topic", "metergate.*.events")
        return channel

    def test_a_lane_that_a_queue_does_not_take_stops_no_other(self):
        """A nack: 4.0 gives no PUBACK and the link stays, 3.10 ends the link."""
        self.start()
        wait_for("readings", 20, lambda: self.readings() > 10)
        channel = self.fill_a_queue_of_events()
        self.sim.command("unplug")
        time.sleep(2)
        self.sim.command("plug")
        wait_for("the events refused", 120, lambda: self.connected() and self.agent.ask()["uplink"]["lanes"]["events"]["refused"])
        self.assertEqual(bool(self.lines("no PUBACK came in time")), self.rabbit.version >= FOUR, self.agent.log())
        before = self.readings()
        wait_for("readings all the same", 60, lambda: self.readings() > before + 100)
        channel.queue_delete("full")
        wait_for("the events", 150, lambda: not self.agent.ask()["uplink"]["lanes"]["events"]["refused"])
        self.expect_all(self.backend)


if __name__ == "__main__":
    unittest.main(verbosity=2)
