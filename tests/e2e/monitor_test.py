"""What the meters' answers tell of the meters: points that one refuses, a counter that fell, another meter in its place."""
import unittest

from case import GatewayTest
from lab import wait_for

PROFILE = """[profile]
format = 1
name = sense
maker = test
model = a meter that lacks two of its points
[points]
power = holding 0 u16
energy = holding 4 u32 kind=counter
gone = holding 28 u16
lost = input 250 u16
serial_number = holding 25 u16
"""


class Sense(GatewayTest):
    def setUp(self):
        super().setUp()
        (self.lab.folder / "profiles" / "sense.ini").write_text(PROFILE)

    def show(self, serial, energy):
        self.sim.tell(f"set=1:holding:25:{serial}")
        self.sim.tell(f"set=1:holding:4:0:{energy}")

    def good(self, serial):
        return [r for r in self.backend.all("readings") if r["values"] and r.get("serial") == serial]

    def test_sends_what_a_meter_does_not_refuse_and_tells_its_exchange_and_a_counter_that_fell(self):
        broker = self.lab.broker()
        self.sim = self.serial_sim("--registers", "holding:0-27", units="1")
        self.show(111, 5000)
        self.backend = self.lab.backend(broker.port)
        flags = [*self.flags(broker, units=(), every=None),
                 "--meter", "id=m1,bus=rs485-1,unit=1,profile=sense,every=250ms,points=power+energy+gone+lost",
                 "--commit-every", "100ms"]
        agent = self.lab.agent(*flags)
        wait_for("readings", 10, lambda: len(self.good("111")) > 4)
        for reading in self.good("111"):
            self.assertEqual(set(reading["errors"]), {"gone", "lost"})
            self.assertEqual({e["code"] for e in reading["errors"].values()}, {"exception_2"})
            self.assertEqual(reading["values"]["energy"], 5000)

        agent.kill()
        self.show(222, 700)
        agent.start()
        readings = wait_for("readings of the new meter", 10, lambda: self.good("222"))
        self.assertEqual({r["serial"] for r in self.backend.all("readings") if r["values"]["energy"] != 5000}, {"222"})
        self.assertFalse([r for r in readings if "flags" in r])
        told = wait_for("the exchange", 5, lambda: self.backend.events("meter_exchanged"))
        self.assertEqual([e["detail"] for e in told], [{"meter": "m1", "old": "111", "new": "222",
                                                        "last": {"energy": 5000}, "first": {"energy": 700}}])

        self.sim.tell("set=1:holding:4:0:600")
        told = wait_for("the fall", 5, lambda: self.backend.events("counter_fell"))
        self.assertEqual([e["detail"] for e in told],
                         [{"meter": "m1", "point": "energy", "from": 700, "to": 600, "how": "fell"}])
        flagged = wait_for("the flag", 5, lambda: [r for r in self.backend.all("readings") if "flags" in r])
        self.assertEqual([(r["flags"], r["values"]["energy"]) for r in flagged], [({"energy": ["fell"]}, 600)])
        self.assertEqual(agent.ask()["buses"][0]["meters"][0]["serial"], "222")


if __name__ == "__main__":
    unittest.main(verbosity=2)
