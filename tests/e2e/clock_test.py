"""The wall clock may lie and may step; nothing is polled twice for it, nothing reordered, nothing written by a clock that nobody trusts."""
import calendar
import time
import unittest

from case import GatewayTest
from lab import wait_for

HOUR = 3600
YEARS = 10 * 365 * 24 * HOUR


def unix(text):
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1])


def rfc3339(t):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(t))


class Clock(GatewayTest):
    def begin(self, *more, offset=0, synced=1, trust=False, every=None):
        self.set_clock(offset, synced)
        self.broker = self.lab.broker()
        self.sim = self.serial_sim()
        self.backend = self.lab.backend(self.broker.port)
        flags = [f for f in self.flags(self.broker, *more, every=every) if trust or f != "--trust-clock"]
        self.agent = self.lab.agent(*flags, env=self.faulty())
        wait_for("the agent online", 10, lambda: any(s["state"] == "online" for s in self.backend.status))

    def set_clock(self, offset, synced):
        self.fault("clock.new", f"{offset * 1000} {synced}")
        (self.faults / "clock.new").rename(self.faults / "clock")

    def write(self, ident, seconds=60):
        self.backend.send({"id": ident, "op": "write", "meter": "m1", "point": "limit", "value": 7,
                           "expires_at": rfc3339(time.time() + seconds)})

    def writes(self):
        return [f for f in self.sim.frames() if f["kind"] == "request" and f.get("function") == 6]

    def expect_no_write(self, ident):
        """The write waits, and a read that came later does not."""
        self.backend.send({"id": ident + "-read", "op": "read", "meter": "m1", "points": ["count"]})
        self.backend.result(ident + "-read", 5)
        time.sleep(1)
        self.assertEqual(self.writes(), [])
        self.assertEqual(self.backend.results[ident], [])

    def test_a_step_moves_the_slots_without_a_burst_and_reorders_nothing(self):
        self.begin("--commit-every", "100ms", every="1s")
        time.sleep(3)
        steps = []
        for offset in (HOUR, 0):
            time.sleep(1.5 - time.time() % 1)  # between two slots
            before = len(self.backend.events("clock_stepped"))
            self.set_clock(offset, 1)
            steps.append(time.monotonic_ns())
            wait_for("the event", 5, lambda: len(self.backend.events("clock_stepped")) > before)
            time.sleep(4)
        forth, back = (e["detail"] for e in sorted(self.backend.events("clock_stepped"), key=lambda e: e["seq"]))
        self.assertAlmostEqual(forth["delta_ms"], HOUR * 1000, delta=50)
        self.assertAlmostEqual(back["delta_ms"], -HOUR * 1000, delta=50)

        readings = sorted(self.backend.all("readings"), key=lambda r: r["seq"])
        self.assertEqual([i for i in self.backend.order if "/readings/" in i], [r["id"] for r in readings])
        ahead = [unix(r["at"]) - time.time() > HOUR / 2 for r in readings]
        first, last = ahead.index(True), len(ahead) - ahead[::-1].index(True)
        self.assertTrue(all(ahead[first:last]), "old and new clock mixed")
        for told, real in ((forth["last"]["readings"], first), (back["last"]["readings"], last)):
            self.assertLessEqual(told, real)  # what was being taken at the step may be behind it
            self.assertLess(real - told, 8)

        slots = [(r["meter"], r["slot"]) for r in readings if "slot" in r]
        self.assertEqual(len(slots), len(set(slots)), "a slot was read twice")
        self.assertTrue(all(0 <= unix(r["at"]) - unix(r["slot"]) < 1 for r in readings if "slot" in r))
        asked = [f["mono_ns"] for f in self.sim.frames() if f["kind"] == "request" and f["unit"] == 1]
        for step in steps:
            self.assertLessEqual(len([t for t in asked if 0 <= t - step < 2_000_000_000]), 3, "a burst")
        self.assertEqual([e for e in self.backend.events("slots_missed") if e["detail"]["count"] > 2], [])

    def test_a_write_waits_for_a_clock_that_is_synced_while_reads_go_on(self):
        self.begin(synced=0)
        self.write("w")
        self.expect_no_write("w")
        self.set_clock(0, 1)
        result = self.backend.result("w", 10)
        self.assertEqual((result["status"], result["clock"]), ("done", "synced"))

    def test_trust_clock_stands_for_the_kernels_word(self):
        self.begin(synced=0, trust=True)
        self.write("w")
        result = self.backend.result("w")
        self.assertEqual((result["status"], result["clock"]), ("done", "synced"))

    def test_a_clock_before_the_programs_build_is_not_believed_by_anybody(self):
        self.begin(offset=-YEARS, trust=True)
        self.write("w", seconds=4)
        self.backend.send({"id": "r", "op": "read", "meter": "m1", "expires_at": rfc3339(time.time() - 2 * YEARS)})
        self.assertEqual(self.backend.result("r")["status"], "done")
        self.expect_no_write("w")
        time.sleep(3)
        self.set_clock(0, 1)
        self.assertEqual(self.backend.result("w", 10)["status"], "expired")
        self.assertEqual(self.writes(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
