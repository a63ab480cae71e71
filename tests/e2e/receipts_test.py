"""With --delivery receipt a record is sent until the consumer says that it has it, whatever the broker acknowledged."""
import collections
import json
import signal
import time
import unittest

from case import GatewayTest
from lab import Backend, wait_for


class Receipting(Backend):
    """Answers every message with a receipt for what it has without a gap, also when all were repeats."""

    def __init__(self, port, **kwargs):
        self.seen = collections.defaultdict(set)
        self.upto = collections.Counter()
        self.silent = False
        super().__init__(port, **kwargs)

    def _message(self, client, userdata, message):
        super()._message(client, userdata, message)
        lanes = set()
        for record in json.loads(message.payload).get("records", ()):
            _gateway, epoch, lane, number = record["id"].split("/")
            self.seen[epoch, lane].add(int(number))
            lanes.add((epoch, lane))
        for epoch, lane in lanes:
            while self.upto[epoch, lane] + 1 in self.seen[epoch, lane]:
                self.upto[epoch, lane] += 1
            if not self.silent:
                self.receipt(epoch, lane, self.upto[epoch, lane])

    def receipt(self, epoch, lane, upto, retain=False):
        self.raw(json.dumps({"epoch": epoch, "lane": lane, "upto": upto}), retain)

    def raw(self, payload, retain=False):
        self.client.publish(f"{self.prefix}/{self.gateway}/receipts", payload, qos=1, retain=retain)


class Receipts(GatewayTest):
    def setUp(self):
        super().setUp()
        self.broker = self.lab.broker()
        self.serial_sim()

    def gateway(self, *more, name="agent", delivery="receipt"):
        how = ["--delivery", delivery, "--receipt-timeout", "500ms", "--commit-every", "100ms"]
        return self.lab.agent(*self.flags(self.broker, *how, *more, every="100ms"), name=name)

    def consumer(self):
        self.lab.backends.append(Receipting(self.broker.port))
        return self.lab.backends[-1]

    @staticmethod
    def waiting(agent):
        return {lane: agent.ask()["store"][lane]["waiting"] for lane in ("readings", "results", "events")}

    def online(self, agent):
        def connected():
            try:
                return agent.ask()["uplink"]["connected"]
            except OSError:
                return False  # not yet there

        wait_for("the connection", 10, connected)
        return agent

    def lose_some(self, delivery):
        """Nobody is subscribed: Mosquitto acknowledges and forgets. Then a consumer comes, and the agent is killed once."""
        agent = self.online(self.gateway(delivery=delivery))
        wait_for("records that are lost", 20, lambda: agent.ask()["uplink"]["lanes"]["readings"]["acknowledged"] > 60)
        lost = agent.ask()["store"]["readings"]["last"]
        consumer = self.consumer()
        time.sleep(0.5)
        agent.kill()
        agent.start()
        self.online(agent)
        if delivery == "receipt":
            wait_for("every record of the first run", 30, lambda: len(consumer.gaps()) == 0 and len(consumer.all()) > lost)
            wait_for("a receipt for everything", 20, lambda: self.waiting(agent)["readings"] < 20)
        else:
            time.sleep(3)
        self.assertEqual(consumer.conflicts, [], "one id with two contents")
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        return consumer

    def test_what_the_broker_acknowledged_and_lost_arrives(self):
        consumer = self.lose_some("receipt")
        self.assertEqual(consumer.gaps(), {})
        self.assertTrue(all(e["seq"] == 1 for e in consumer.events("started")))
        self.assertEqual(len(consumer.events("started")), 2)

    def test_control_without_receipts_it_does_not(self):
        self.assertGreater(len(self.lose_some("broker").gaps()), 0, "this test would not notice a loss")

    def test_wrong_late_doubled_and_future_receipts_are_counted_and_harm_nothing(self):
        consumer = self.consumer()
        consumer.silent = True
        agent = self.online(self.gateway())
        epoch = agent.ask()["epoch"]
        wait_for("records", 20, lambda: consumer.upto[epoch, "readings"] > 10)
        consumer.receipt(epoch, "readings", 5)
        consumer.receipt(epoch, "readings", 5)
        consumer.receipt(epoch, "readings", 2)
        consumer.receipt(epoch, "readings", 10**9)
        consumer.receipt("feedfeedfeed", "readings", 3)
        consumer.receipt(epoch, "readings", 7, retain=True)  # to a subscriber it comes as any other
        for wrong in ("", "{", "[]", "\x00\xff", '{"epoch":5}', '{"epoch":"x","lane":"y","upto":1}', "[" * 5000,
                      json.dumps({"epoch": epoch, "lane": "readings", "upto": 10**40})):
            consumer.raw(wrong)
        wanted = {"counted": 2, "nothing_new": 2, "ignored": 2, "malformed": 7}
        wait_for(f"the counts {wanted}", 10, lambda: agent.ask()["uplink"]["receipts"] == wanted)
        wait_for("seven delivered records", 10, lambda: agent.ask()["store"]["readings"]["delivered"] == 7)
        wait_for("repeats of the eighth", 10, lambda: agent.ask()["uplink"]["resent"] > 0)
        self.assertEqual(consumer.conflicts, [])

    def test_a_change_of_delivery_loses_nothing(self):
        consumer = self.consumer()
        consumer.silent = True
        for delivery in ("receipt", "broker", "receipt"):
            agent = self.online(self.gateway(delivery=delivery))
            time.sleep(1)
            self.assertEqual(agent.kill(signal.SIGTERM), 0)
        agent = self.online(self.gateway(delivery="broker"))
        wait_for("nothing that waits", 10, lambda: self.waiting(agent)["readings"] < 10)
        self.assertEqual(consumer.gaps(), {})
        self.assertEqual(consumer.conflicts, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
