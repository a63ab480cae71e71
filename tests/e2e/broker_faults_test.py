"""What a network and a broker can do to the gateway: nothing is lost, nothing stands still, and the log says it once."""
import signal
import time
import unittest

from case import GatewayTest
from lab import wait_for

NO_PUBACK = 15  # seconds after which the agent gives a connection up whose oldest message is not acknowledged


class BrokerFaults(GatewayTest):
    def begin(self, *more):
        self.broker = self.lab.broker()
        self.proxy = self.lab.proxy(self.broker.port)
        self.sim = self.serial_sim()
        self.backend = self.lab.backend(self.broker.port)
        self.agent = self.lab.agent(*self.flags(f"mqtt://127.0.0.1:{self.proxy.port}", *more))
        wait_for("readings", 10, lambda: len(self.backend.all("readings")) > 3)

    def read(self, n):
        """A read of a register that no other command reads."""
        self.backend.send({"id": f"c{n}", "op": "read", "route": {"bus": "rs485-1", "unit": 1},
                           "registers": {"table": "holding", "address": 100 + n, "count": 1}})

    def end(self):
        """Everything that has a number arrives, with one content."""
        wait_for("the backlog sent", 20, lambda: self.agent.ask()["uplink"]["connected"] and
                 self.agent.ask()["store"]["readings"]["waiting"] < 30)
        self.assertEqual(self.agent.kill(signal.SIGTERM), 0)
        last = wait_for("the last word", 10, lambda: next(
            (s["last"] for s in reversed(self.backend.status) if s["state"] == "offline" and "last" in s), None))
        for lane, number in last.items():
            wait_for(f"{lane} up to {number}", 5, lambda: any(
                r["seq"] == number for r in self.backend.all(lane)) or number == 0)
        self.assertEqual(self.backend.gaps(), {})
        self.assertEqual(self.backend.conflicts, [], "one id with two contents")

    def log_lines(self, text):
        return [line for line in self.agent.log().splitlines() if text in line]

    def expect_polling(self):
        before = len(self.sim.frames())
        time.sleep(1)
        self.assertGreater(len(self.sim.frames()) - before, 10, "polling stood still")

    def test_delays_cuts_resets_and_lost_acknowledgements_cost_no_record_and_no_command(self):
        self.begin()
        self.proxy.delay = 0.03
        for n in range(16):
            self.read(n)
            if n % 4 == 0:
                self.proxy.cut()
            if n % 4 == 1:
                self.proxy.reset()
            if n % 4 == 2:
                self.proxy.reset_in_publish = 1
            if n % 4 == 3:
                self.proxy.drop_pubacks, self.proxy.delay = 1, 0.03 * (n % 8)
            time.sleep(0.5)
            wait_for("the fault", 15, lambda: self.proxy.reset_in_publish == self.proxy.drop_pubacks == 0)
        self.proxy.reset()
        self.proxy.drop_pubacks, self.proxy.delay = 0, 0
        for n in range(16):
            self.assertEqual(self.backend.result(f"c{n}", 20)["registers"], [100 + n])
        asked = [f["address"] for f in self.sim.frames() if f["kind"] == "request" and f.get("address", 0) >= 100]
        self.assertEqual(sorted(asked), list(range(100, 116)), "executed once each")
        self.end()
        self.assertGreater(self.proxy.resets, 1, "nothing was cut in mid-publish")
        self.assertGreater(self.proxy.dropped, 1, "no PUBACK was lost")
        self.assertGreater(self.backend.repeats, 0, "nothing was sent again")

    def test_a_half_open_connection_is_given_up_and_everything_comes_by_a_new_one(self):
        self.begin()
        self.proxy.freeze()
        connections = self.proxy.connections
        self.expect_polling()
        wait_for("another connection", NO_PUBACK + 8, lambda: self.proxy.connections > connections)
        self.assertEqual(len(self.log_lines("no PUBACK came in time")), 1)
        self.end()

    def test_a_stopped_broker_stops_no_poll_and_gets_everything_when_it_goes_on(self):
        self.begin()
        self.broker.child.send_signal(signal.SIGSTOP)
        self.expect_polling()
        wait_for("the connection given up", NO_PUBACK + 8, lambda: self.log_lines("no PUBACK came in time"))
        self.expect_polling()
        self.broker.child.send_signal(signal.SIGCONT)
        self.end()
        self.assertLessEqual(len(self.log_lines("no connection to the broker")), 3)

    def test_a_lane_that_the_broker_refuses_stops_no_other(self):
        self.begin()
        self.proxy.refused = lambda topic: topic.endswith("/readings")
        wait_for("the lane refused", 20, lambda: self.agent.ask()["uplink"]["lanes"]["readings"]["refused"])
        tries = self.proxy.refusals
        for n in range(3):
            self.read(n)
            self.backend.result(f"c{n}", 5)
        self.sim.tell("unplug")
        wait_for("an event", 10, lambda: self.backend.events("bus_down"))
        self.sim.tell("plug")
        self.assertLessEqual(self.proxy.refusals - tries, 1, "it is tried at growing pauses")
        self.assertEqual(len(self.log_lines("ends the connection at a message")), 1)
        self.proxy.refused = None
        wait_for("the lane again", 45, lambda: not self.agent.ask()["uplink"]["lanes"]["readings"]["refused"])
        self.assertEqual(len(self.log_lines("the broker takes it again")), 1)
        self.end()

    def test_a_payload_of_100_megabytes_costs_one_dead_letter_and_no_memory(self):
        self.begin()
        before = self.resident_mb()
        self.backend.send("x" * 100_000_000)
        wait_for("the event", 30, lambda: self.backend.events("command_unreadable"))
        self.read(0)
        self.backend.result("c0")
        self.assertEqual(self.agent.ask()["store"]["dead_letters"], 1)
        self.assertEqual(len(self.backend.events("command_unreadable")), 1)
        wait_for("its memory given back", 5, lambda: self.resident_mb() < before + 20)
        self.assertEqual(len(self.backend.events("started")), 1)

    def resident_mb(self):
        with open(f"/proc/{self.agent.child.pid}/statm") as f:
            return int(f.read().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    unittest.main(verbosity=2)
