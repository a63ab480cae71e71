"""The broker settings that are shipped: what one gateway can do to another, and what is acknowledged and lost."""
import getpass
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import pika

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from brokers import ROOT, RabbitMQ, Server  # noqa: E402
from lab import AGENT, free_port, wait_for  # noqa: E402
from peers import mqtt_client  # noqa: E402

UP = ("status", "catalog", "catalog/+", "readings", "results", "events")
DOWN = [("metergate/{}/commands", 1), ("metergate/{}/receipts", 1), ("metergate/{}/status", 1)]


class Client:
    """An MQTT client that does not reconnect and notes what it is told."""

    def __init__(self, port, user, password, client_id=None, clean=False):
        self.refused, self.connected, self.ended, self.granted, self.acked, self.got = None, None, False, [], [], []
        self.client = mqtt_client(client_id or f"metergate-{user}", clean)
        if user:
            self.client.username_pw_set(user, password)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: setattr(self, "ended", True)
        self.client.on_subscribe = lambda _c, _u, _mid, granted: self.granted.extend(granted)
        self.client.on_publish = lambda _c, _u, mid: self.acked.append(mid)
        self.client.on_message = lambda _c, _u, message: self.got.append((message.topic, message.payload.decode()))
        self.client.reconnect_delay_set(1000, 1000)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        wait_for("a CONNACK", 10, lambda: self.connected is not None)

    def _on_connect(self, _client, _userdata, flags, code):
        self.session, self.refused, self.connected = flags["session present"], code, code == 0

    def subscribe(self, *topics):
        self.client.subscribe([(topic, 1) for topic in topics])
        wait_for("SUBACK or the end", 10, lambda: self.granted or self.ended)
        return self

    def publish(self, topic, text, retain=False):
        mid = self.client.publish(topic, text, 1, retain).mid
        wait_for("PUBACK or the end", 10, lambda: mid in self.acked or self.ended)
        return self

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


class Rights:
    """For every broker whose settings are shipped. A forbidden thing may be refused, or acknowledged and dropped: what counts is
    that it has no effect."""

    def client(self, user, client_id=None, clean=False):
        made = Client(self.port, user, self.passwords.get(user), client_id, clean)
        self.addCleanup(made.close)
        return made

    def gateway(self, name):
        return self.client(name).subscribe(*(topic.format(name) for topic, _qos in DOWN))

    def reaches(self, victim, topic, text="the end"):
        """What arrived at `victim` before a message that is sent now, and arrives."""
        self.command(topic, text)
        wait_for("a command that is allowed", 10, lambda: (topic, text) in victim.got)
        return [pair for pair in victim.got if pair != (topic, text)]

    def test_a_gateway_gets_its_own_and_nothing_of_another(self):
        b, tries = self.gateway("b"), []
        for topic in ("metergate/b/commands", "metergate/+/commands", "metergate/#", "#", "metergate/b/status",
                      "metergate/b/readings"):
            tries.append(self.client("a").subscribe(topic))
        tries.append(self.gateway("a"))
        self.assertEqual(self.reaches(b, "metergate/b/commands"), [])
        b.publish("metergate/b/status", "of b", retain=True)
        b.publish("metergate/b/readings", "of b")
        self.assertEqual(self.reaches(tries[-1], "metergate/a/commands"), [])
        self.assertEqual([got for client in tries[:-1] for got in client.got], [])

    def test_a_gateway_cannot_write_for_another_nor_commands_at_all(self):
        b = self.gateway("b")
        for topic in ("metergate/b/commands", "metergate/b/receipts", "metergate/b/status", "metergate/b/readings",
                      "metergate/a/commands", "other/b/readings"):
            self.client("a").publish(topic, "forged")
        self.assertEqual(self.reaches(b, "metergate/b/commands"), [])
        self.client("a").publish("metergate/a/readings", "own")
        self.assertEqual([text for text in self.records("own") if text == "forged"], [])

    def test_the_client_id_of_another_gives_neither_its_session_nor_its_commands(self):
        self.gateway("b").close()
        self.command("metergate/b/commands", "for b")
        for user, clean in (("a", False), ("a", True), ("look", False), ("look", True)):
            thief = self.client(user, "metergate-b", clean)
            if thief.connected:
                thief.subscribe("metergate/b/commands")
            time.sleep(0.5)
            self.assertEqual(thief.got, [])
            thief.close()
        b = self.client("b")
        self.assertTrue(b.session)
        wait_for("the command that waited", 10, lambda: ("metergate/b/commands", "for b") in b.got)

    def test_who_looks_sees_what_gateways_send_and_nothing_else(self):
        b = self.gateway("b")
        topics = [f"metergate/+/{topic}" for topic in UP]
        look = self.client("look", "look", clean=True).subscribe(*topics)
        self.assertEqual(look.granted, [1] * len(topics))
        others = []
        for topic in ("metergate/+/commands", "metergate/b/receipts"):
            others.append(self.client("look", "look-2", clean=True).subscribe(topic))
            self.reaches(b, "metergate/b/commands")
        look = self.client("look", "look", clean=True).subscribe(*topics)
        b.publish("metergate/b/readings", "seen")
        wait_for("a reading at who looks", 10, lambda: ("metergate/b/readings", "seen") in look.got)
        topics = {topic.split("/")[2] for client in (look, *others) for topic, _text in client.got}
        self.assertLessEqual(topics, {"readings", "status"})

    def test_mosquitto_sub_shows_the_readings_of_a_gateway(self):
        b = self.gateway("b")
        look = subprocess.Popen(["mosquitto_sub", "-p", str(self.port), "-u", "look", "-P", self.passwords["look"], "-i", "look", "-v",
                                 "-t", "metergate/b/readings", "-C", "1", "-W", "20"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(look.stdout.close)
        while look.poll() is None:
            b.publish("metergate/b/readings", "shown")
            time.sleep(0.1)
        self.assertEqual((look.returncode, look.stdout.read()), (0, "metergate/b/readings shown\n"))

    def test_who_looks_publishes_nothing(self):
        b = self.gateway("b")
        for topic in ("metergate/b/commands", "metergate/b/receipts", "metergate/b/readings", "metergate/look/readings",
                      "metergate/look/commands"):
            self.client("look", "look", clean=True).publish(topic, "forged")
        self.assertNotIn("forged", [text for _topic, text in self.reaches(b, "metergate/b/commands")])
        b.publish("metergate/b/readings", "own")
        self.assertEqual([text for text in self.records("own") if text == "forged"], [])

    def test_who_looks_takes_nothing_from_the_backend(self):
        b, mine = self.gateway("b"), [f"of b {n}" for n in range(5)]
        self.backend_leaves()
        for text in mine[:3]:
            b.publish("metergate/b/readings", text)
        for _ in range(3):
            look = self.client("look", "look", clean=True).subscribe("metergate/+/readings")
            look.close()
        look = self.client("look", "look", clean=True).subscribe("metergate/+/readings")
        for text in mine[3:]:
            b.publish("metergate/b/readings", text)
        wait_for("the readings at who looks", 10, lambda: len(look.got) == 2)
        self.assertEqual([text for text in self.records(mine[-1]) if text in mine], mine)

    def test_nobody_comes_in_without_the_right_password(self):
        for user, password in ((None, None), ("a", "wrong"), ("a", self.passwords["b"]), ("guest", "guest"), ("nobody", "x")):
            with self.subTest(user):
                client = Client(self.port, user, password, "metergate-a")
                self.addCleanup(client.close)
                self.assertIn(client.refused, (4, 5))

    def test_takes_no_message_of_more_than_four_mebibytes(self):
        large = self.client("a")
        mid = large.client.publish("metergate/a/readings", "x" * (4 * 1024 * 1024 + 1), 1).mid
        time.sleep(1)
        self.assertNotIn(mid, large.acked)
        self.client("a").publish("metergate/a/readings", "own")
        self.assertEqual([len(text) for text in self.records("own") if len(text) > 100], [])


    def check(self, user, gateway, *more):
        """What `metergate check --broker` says of this broker: its exit status and its link."""
        word = pathlib.Path(tempfile.mkdtemp(prefix="metergate-"))
        self.addCleanup(shutil.rmtree, word)
        (word / "password").write_text(self.passwords[user])
        done = subprocess.run([AGENT, "check", "--broker", "--json", "--gateway-id", gateway, "--upstream", f"mqtt://127.0.0.1:{self.port}",
                               "--username", user, "--password-file", word / "password", "--store", word / "metergate.db", "--control",
                               word / "control", *more], capture_output=True, text=True, timeout=60)
        link, = json.loads(done.stdout)["links"]
        return done.returncode, link

    def test_a_check_of_the_broker_leaves_a_command_where_it_is(self):
        self.gateway("b").close()
        self.command("metergate/b/commands", "waits")
        for _ in range(30):
            status, link = self.check("b", "b")
            self.assertEqual((status, link["session"], link["waiting"]), (0, "kept", 1), link)
            self.assertEqual(set(link["subscriptions"].values()), {"granted"})
        b = self.gateway("b")
        wait_for("the command that waited", 10, lambda: ("metergate/b/commands", "waits") in b.got)
        self.assertEqual(self.reaches(b, "metergate/b/commands"), [("metergate/b/commands", "waits")])


class RabbitRights(Rights, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="metergate-")
        cls.addClassCleanup(folder.cleanup)
        cls.rabbit = RabbitMQ(pathlib.Path(folder.name))
        cls.addClassCleanup(cls.rabbit.stop)
        cls.rabbit.start()
        cls.port = cls.rabbit.mqtt
        cls.passwords = {name: file.read_text().strip() for name, file in cls.rabbit.add_users("a", "b", look="look").items()}

    def test_a_check_of_the_broker_names_the_topic_that_is_refused(self):
        status, link = self.check("a", "b", "--client-id", "metergate-a")
        self.assertEqual(status, 69, link)
        self.assertIn("metergate/b/commands", link["error"])  # 3.10 ends the connection there, 4.0 refuses by SUBACK

    def backend_leaves(self):
        """It is not there: each test makes its own connections."""

    def channel(self, user):
        """By AMQP, with which a gateway has no business; the network should not let it."""
        connection = pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.rabbit.amqp, "/", pika.PlainCredentials(user, self.passwords[user])))
        self.addCleanup(lambda: connection.is_open and connection.close())
        channel = connection.channel()
        channel.confirm_delivery()
        return channel

    def command(self, topic, text):
        self.channel("cloud").basic_publish("amq.topic", topic.replace("/", "."), text, pika.BasicProperties(delivery_mode=2))

    def records(self, until):
        """What the backend finds in its queue of readings, up to a certain message."""
        channel, texts = self.channel("cloud"), []
        for method, _properties, body in channel.consume("metergate.readings", inactivity_timeout=10):
            self.assertIsNotNone(method, "the last message did not come")
            texts.append(body.decode())
            channel.basic_ack(method.delivery_tag)
            if texts[-1] == until:
                break
        channel.cancel()
        return texts

    def test_also_by_amqp_a_gateway_gets_and_sends_its_own_only(self):
        self.gateway("b")
        queue = "mqtt-subscription-metergate-bqos1"
        tries = {
            "read a queue of the backend": lambda c: c.basic_consume("metergate.events", lambda *_: None),
            "read the queue of another": lambda c: c.basic_consume(queue, lambda *_: None),
            "empty the queue of another": lambda c: c.queue_purge(queue),
            "delete the queue of another": lambda c: c.queue_delete(queue),
            "bind the queue of another": lambda c: c.queue_bind(queue, "amq.topic", "metergate.a.commands"),
            "have a queue of its own": lambda c: c.queue_declare("mine"),
            "publish for another": lambda c: c.basic_publish("amq.topic", "metergate.b.readings", b"forged"),
            "command": lambda c: c.basic_publish("amq.topic", "metergate.b.commands", b"forged"),
            "publish past the exchange": lambda c: c.basic_publish("", queue, b"forged"),
        }
        for what, attempt in tries.items():
            with self.subTest(what), self.assertRaises(pika.exceptions.ChannelClosedByBroker) as refused:
                attempt(self.channel("a"))
            self.assertEqual(refused.exception.reply_code, 403)
        self.channel("a").basic_publish("amq.topic", "metergate.a.events", b"own")

    def test_the_backend_sends_commands_and_receipts_and_reads_its_queues_only(self):
        self.gateway("b")
        for attempt in (lambda c: c.basic_publish("amq.topic", "metergate.b.readings", b"forged"),
                        lambda c: c.basic_consume("mqtt-subscription-metergate-bqos1", lambda *_: None),
                        lambda c: c.queue_delete("metergate.readings")):
            with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as refused:
                attempt(self.channel("cloud"))
            self.assertEqual(refused.exception.reply_code, 403)

    def test_a_session_ends_by_the_policy_only(self):
        self.gateway("b")
        rows = self.rabbit.ctl("list_queues", "name", "durable", "type", "arguments", "policy").splitlines()
        self.assertIn('mqtt-subscription-metergate-bqos1\ttrue\tquorum\t[{"x-queue-type","quorum"}]\tmetergate-sessions', rows)
        policy, = [row for row in json.loads(self.rabbit.ctl("list_policies", "--formatter", "json"))
                   if row["name"] == "metergate-sessions"]
        self.assertEqual(policy["pattern"], "^mqtt-subscription-")
        self.assertEqual(json.loads(policy["definition"])["expires"], 60 * 24 * 3600 * 1000)

    def test_a_command_of_more_than_four_mebibytes_ends_the_channel_of_its_sender(self):
        with self.assertRaises(pika.exceptions.ChannelClosedByBroker) as refused:
            self.command("metergate/b/commands", "x" * (4 * 1024 * 1024 + 1))
        self.assertEqual(refused.exception.reply_code, 406)

    def test_what_nobody_is_subscribed_to_reaches_the_backend(self):
        self.command("metergate/zz/commands", "for nobody")
        method, _properties, body = next(self.channel("cloud").consume("metergate.unrouted", inactivity_timeout=10))
        self.assertEqual((method.routing_key, body), ("metergate.zz.commands", b"for nobody"))


class MosquittoRights(Rights, unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="metergate-")
        cls.addClassCleanup(folder.cleanup)
        place, shipped = pathlib.Path(folder.name), ROOT / "systemd" / "broker" / "mosquitto"
        cls.passwords, cls.port = {"a": "pa", "b": "pb", "cloud": "pc", "look": "pl"}, free_port()
        (place / "passwords").write_text("".join(f"{user}:{word}\n" for user, word in cls.passwords.items()))
        subprocess.run(["mosquitto_passwd", "-U", place / "passwords"], check=True)
        text = (shipped / "mosquitto.conf").read_text()
        for was, now in (("\nlistener 1883 ", f"\nuser {getpass.getuser()}\nlistener {cls.port} "),
                         ("\npassword_file /etc/mosquitto/metergate.passwords\n", f"\npassword_file {place}/passwords\n"),
                         ("\nacl_file /etc/mosquitto/metergate.acl\n", f"\nacl_file {shipped}/acl\n"),
                         ("\npersistence_location /var/lib/mosquitto/\n", f"\npersistence_location {place}/\n")):
            assert text.count(was) == 1, was
            text = text.replace(was, now)
        (place / "mosquitto.conf").write_text(text)
        cls.broker = Server(place, "mosquitto")
        cls.addClassCleanup(cls.broker.kill)
        cls.broker.spawn([shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", place / "mosquitto.conf"])
        cls.broker.await_port(cls.port, 10)

    def setUp(self):
        self.cloud = self.client("cloud").subscribe("metergate/+/readings")

    def command(self, topic, text):
        self.cloud.publish(topic, text)

    def backend_leaves(self):
        self.cloud.close()

    def records(self, until):
        if self.cloud.ended:
            self.cloud = self.client("cloud")
        wait_for("the last message", 10, lambda: any(text == until for _topic, text in self.cloud.got))
        return [text for _topic, text in self.cloud.got]


if __name__ == "__main__":
    unittest.main(verbosity=2)
