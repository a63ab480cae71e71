"""Nothing that was answered long enough before a kill is lost; the account is the simulator's, not the agent's."""
import random
import signal
import time
import unittest

from case import GatewayTest
from lab import wait_for

COMMIT = 0.2   # --commit-every
SLACK = 0.5


class Delivery(GatewayTest):
    def torture(self, kills, outages, commit_every):
        """Kills the agent again and again; returns the counter values that had to arrive and did not."""
        chance = random.Random(7)
        broker = self.lab.broker()
        sim = self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker, "--commit-every", commit_every))
        stops = []  # (answers up to here had to be kept, the process is gone), monotonic ns
        outage_after = {round((i + 1) * kills / (outages + 1)) for i in range(outages)}
        for n in range(kills):
            wait_for("a run", 10, lambda: self.epoch_of(agent))
            time.sleep(COMMIT + SLACK + chance.random() * 0.5)
            if n in outage_after:
                broker.kill(signal.SIGTERM)
                time.sleep(0.3 + chance.random() * 0.4)
            begin = time.monotonic_ns()
            agent.kill()
            stops.append((begin - int((COMMIT + SLACK) * 1e9), time.monotonic_ns()))
            if not broker.running():
                broker.start()
            agent.start()
        wait_for("a run", 10, lambda: self.epoch_of(agent))
        time.sleep(COMMIT + SLACK + 0.5)
        begin = time.monotonic_ns()
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        stops.append((begin, time.monotonic_ns()))
        # A lane is sent epoch by epoch: the first reading of this run comes behind everything of before.
        last = self.lab.agent(*self.flags(broker, "--commit-every", "200ms"), name="last")
        epoch = wait_for("the last run's epoch", 10, lambda: self.epoch_of(last))
        wait_for("a reading of the last run", 30, lambda: any(f"/{epoch}/readings/" in i for i in backend.order))

        asked, expected = {}, set()
        for frame in sim.frames():
            if frame["kind"] == "request":
                asked[frame["n"]] = frame["mono_ns"]
            if frame["kind"] != "reply" or "counter" not in frame:
                continue
            # Who asked was alive when the answer came, and long enough after it.
            stop = next((s for s in stops if s[1] > asked[frame["n"]]), None)
            if stop and frame["mono_ns"] < stop[0]:
                expected.add(frame["counter"])
        self.assertGreater(len(expected), kills, "the simulator answered too little for a judgement")
        arrived = {r["values"]["count"] for r in backend.all("readings") if "count" in r.get("values", {})}
        self.assertEqual(backend.conflicts, [], "one id with two contents")
        return expected - arrived, backend

    @staticmethod
    def epoch_of(agent):
        try:
            return agent.ask()["epoch"]
        except (OSError, ValueError, KeyError):
            return None

    def test_keeps_every_answered_value_over_50_kills_and_10_outages(self):
        missing, backend = self.torture(kills=50, outages=10, commit_every="200ms")
        self.assertEqual(sorted(missing), [])
        self.assertEqual(backend.gaps(), {}, "numbers without a record")
        started = backend.events("started")
        self.assertGreaterEqual(len(started), 51)
        self.assertTrue(all(e["seq"] == 1 for e in started))

    def test_control_a_store_that_commits_late_loses_values(self):
        missing, _ = self.torture(kills=6, outages=0, commit_every="30s")
        self.assertGreater(len(missing), 0, "this account would not notice a loss")


if __name__ == "__main__":
    unittest.main(verbosity=2)
