"""A command's PUBACK leaves only after its commit: watched in the broker's log."""
import time
import unittest

from case import GatewayTest
from lab import wait_for


class Acknowledge(GatewayTest):
    def begin(self):
        self.broker = self.lab.broker()
        self.sim = self.serial_sim()
        self.backend = self.lab.backend(self.broker.port)
        self.agent = self.lab.agent(*self.flags(self.broker, every=None), env=self.faulty())
        wait_for("the agent online", 10, lambda: any(s["state"] == "online" for s in self.backend.status))
        time.sleep(0.5)

    def pubacks(self):
        return self.broker.log().count("Received PUBACK from metergate-gw")

    def send(self):
        before = self.pubacks()
        self.backend.send({"id": "c", "op": "read", "meter": "m1"})
        return before

    def kill_while_the_sync_is_held(self):
        """The number of PUBACKs that left though the commit had not returned."""
        self.begin()
        self.fault("hold-fdatasync")
        before = self.send()
        time.sleep(1.5)
        early = self.pubacks() - before
        self.agent.kill()
        self.heal("hold-fdatasync")
        return early

    def test_acknowledges_nothing_while_the_sync_is_held_and_gets_the_command_again(self):
        self.assertEqual(self.kill_while_the_sync_is_held(), 0)
        self.assertGreaterEqual(self.noted("held"), 1)
        self.agent.start()
        self.assertEqual(self.backend.result("c")["status"], "done")

    def test_acknowledges_nothing_whose_sync_failed_and_gets_the_command_again(self):
        self.begin()
        self.fault("fail-fdatasync")
        before = self.send()
        wait_for("a failed sync", 5, lambda: self.noted("failed"))
        time.sleep(1.0)
        self.assertEqual(self.pubacks() - before, 0)
        self.heal("fail-fdatasync")
        self.assertEqual(self.backend.result("c", 30)["status"], "done")
        self.assertEqual(len(self.backend.results["c"]), 1)

    def test_control_a_store_that_does_not_sync_acknowledges_at_once(self):
        self.fault("skip-fdatasync")
        self.assertGreater(self.kill_while_the_sync_is_held(), 0, "this test would not notice an early acknowledgement")


if __name__ == "__main__":
    unittest.main(verbosity=2)
