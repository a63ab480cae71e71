"""`verify` on a running node: silent when all is as shipped, and it names each thing that is not."""
import contextlib
import json
import pathlib
import tempfile
import unittest

import pika
from brokers import SHIPPED, RabbitMQ
from silent_client import SilentClient


class Verify(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="metergate-")
        self.addCleanup(folder.cleanup)
        self.rabbit = RabbitMQ(pathlib.Path(folder.name))
        self.addCleanup(self.rabbit.stop)
        self.rabbit.start()
        self.passwords = self.rabbit.add_users("g", "h", look="look")

    def verify(self, *words):
        return self.rabbit.tool(SHIPPED / "verify", *words, check=False)

    def break_all(self):
        for words in (["set_policy", "metergate-queues", r"^metergate\.", json.dumps({"max-length": 10}), "--apply-to", "queues"],
                      ["set_policy", "metergate-sessions", "^mqtt-subscription-", json.dumps({"delivery-limit": 3}), "--apply-to", "queues"],
                      ["clear_policy", "metergate-unrouted"],
                      ["delete_queue", "metergate.state"],
                      ["add_user", "guest", "guest"],
                      ["add_user", "loose", "word"], ["set_permissions", "loose", ".*", ".*", ".*"],
                      ["set_topic_permissions", "h", "amq.topic", ".*", ".*"],
                      ["eval", "application:set_env(rabbit, max_message_size, 134217728)."]):
            self.rabbit.ctl(*words)
        with contextlib.closing(pika.BlockingConnection(pika.ConnectionParameters(
                "127.0.0.1", self.rabbit.amqp, "/", pika.PlainCredentials("loose", "word")))) as connection:
            connection.channel().queue_unbind("metergate.results", "amq.topic", "metergate.*.results")

    def test_it_names_each_thing_that_is_wrong(self):
        client = SilentClient(self.rabbit.mqtt, "g", self.passwords["g"].read_text().strip())
        self.addCleanup(client.close)
        client.subscribe("metergate/g/commands")
        status, text = self.verify("--nodes", "1")
        self.assertEqual((status, [line for line in text.splitlines() if not line.startswith("ok ")]), (0, []), text)
        self.assertIn("rights: 2 gateways, 1 backends, 1 who look", text)
        self.assertIn("sessions: 1 quorum", text)

        self.break_all()
        status, text = self.verify("--nodes", "3")
        self.assertEqual(status, 1)
        wrong = "\n".join(line for line in text.splitlines() if line.startswith("NOT "))
        for expected in ("nodes: 1 of 3 run", "queues: max-length drops or refuses messages (4 of 5:", "queues: missing",
                         "no policy sets one, a message", "a message is dropped after 3 deliveries (1 of 5: mqtt-subscription-metergate-g",
                         "amq.topic > metergate.results metergate.*.results", "alternate exchange: amq.topic has none",
                         "max_message_size is 134217728", "guest has the password guest",
                         "no topic permissions, so all topics are allowed; gateway-user NAME FILE (1 of 6: loose)",
                         "not those of a gateway, of the backend or of who looks; gateway-user NAME FILE (1 of 6: h)"):
            self.assertIn(expected, wrong)

    def test_a_node_that_is_down_is_told(self):
        self.rabbit.kill()
        status, text = self.verify()
        self.assertEqual(status, 1)
        self.assertIn("verify: rabbitmqctl", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
