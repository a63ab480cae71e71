"""A configuration for a fleet of 20 real agents, rolled out by tests/backend/rollout.py: all take it, or it stops at the first
that does not, and that one is back on its old configuration and reads."""
import pathlib
import sys
import time
import unittest

from case import GatewayTest
from lab import AGENT, free_port, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from backend.rollout import Outcome, Rollout, waves_of  # noqa: E402

FLEET = 20
WITHIN = 20


class SeenFleet:
    """What the test's backend has seen."""

    def __init__(self, backend):
        self.backend = backend

    def config(self, gateway):
        with self.backend.lock:
            own = [s for s in self.backend.status if s["gateway"] == gateway and s["state"] == "online"]
        return own[-1]["config"] if own else None

    def send(self, gateway, command):
        self.backend.send(command, gateway=gateway)

    def result(self, command):
        results = self.backend.results.get(command)
        return results[0][1] if results else None

    def reads_well(self, gateway, config):
        with self.backend.lock:
            own = [s for s in self.backend.status if s["gateway"] == gateway and s["state"] == "online"]
        if not own or own[-1]["config"] != config:
            return False
        records = [r for r in self.backend.all("readings") if r["id"].startswith(f"{gateway}/{own[-1]['epoch']}/")]
        return len(records) >= 2 and all(r["quality"] == "good" for r in records)


@unittest.skipIf(AGENT.read_bytes()[:2] == b"#!", "an emulator cannot start its program again")
class FleetRollout(GatewayTest):
    def begin(self):
        self.broker = self.lab.broker()
        self.meters = free_port()
        self.lab.sim("--tcp", self.meters, "--meters", "1-9", "--counter", "holding:0")
        self.backend = self.lab.backend(self.broker.port)
        self.fleet = SeenFleet(self.backend)
        self.names = [f"site-{n}" for n in range(1, FLEET + 1)]
        for name in self.names:
            folder = self.lab.folder / name
            folder.mkdir()
            self.lab.agent(
                "--gateway-id", name, "--bus", f"name=plant,tcp=127.0.0.1:{self.meters}", "--meter",
                "id=m1,bus=plant,unit=1,profile=count,every=500ms,points=count", "--profile-dir", self.lab.folder / "profiles",
                "--upstream", f"mqtt://127.0.0.1:{self.broker.port}", "--trust-clock", "--store", folder / "metergate.db",
                "--store-max-size", "8MiB", "--backoff-min", "200ms", "--backoff-max", "1s", "--remote", folder / "remote",
                "--remote-allow", "all", name=name)
        wait_for("the fleet online", 60, lambda: all(self.fleet.config(name) for name in self.names))
        self.text = "meter = id=m2,bus=plant,unit=2,profile=count,every=500ms,points=count\n"

    def configs(self):
        return {name: self.fleet.config(name) for name in self.names}

    def test_reaches_every_gateway_in_three_waves(self):
        self.begin()
        before = self.configs()
        outcome = Rollout(self.fleet, self.text, confirm_within=60).run(self.names)
        self.assertEqual((outcome.state, outcome.failed), (Outcome.DONE, {}))
        self.assertEqual(outcome.waves, [1, 2, 17])
        self.assertEqual(sorted(outcome.confirmed), sorted(self.names))
        self.assertTrue(all(before[name] != config for name, config in self.configs().items()))
        seen = len(self.backend.all("readings"))
        wait_for("readings of all", 30, lambda: len({r["id"].split("/")[0] for r in self.backend.all("readings")[seen:]}) == FLEET)
        self.assertEqual(self.backend.gaps(), {})

    def test_stops_at_a_broken_one_which_comes_back_by_itself(self):
        self.begin()
        before = self.configs()
        broken = waves_of(self.names)[1][0]

        def change(gateway, command):
            if gateway == broken:  # its broker is not there
                command["text"] += "upstream = mqtt://127.0.0.1:1\n"
            return command

        began = time.monotonic()
        outcome = Rollout(self.fleet, self.text, confirm_within=WITHIN, change=change).run(self.names)
        self.assertEqual(outcome.state, Outcome.STOPPED)
        self.assertEqual(outcome.failed, {broken: ("failed", "not_confirmed")})
        self.assertEqual(outcome.waves, [1, 2])
        self.assertEqual(len(outcome.untouched), 17)
        self.assertLess(time.monotonic() - began, 2 * (WITHIN + 10) + 30)
        after = self.configs()
        self.assertEqual([name for name in self.names if after[name] != before[name]], sorted(outcome.confirmed))
        self.assertEqual(after[broken], before[broken])
        wait_for("readings of the broken one", 20, lambda: self.fleet.reads_well(broken, before[broken]))

    def test_stops_at_the_first_whose_bus_has_no_time_for_it(self):
        self.begin()
        slow = "bus = name=plant,device=/dev/ttyS9,baud=300,mode=8N1\n" + self.text.replace("500ms", "100ms")
        outcome = Rollout(self.fleet, slow, confirm_within=WITHIN).run(self.names)
        self.assertEqual((outcome.state, outcome.waves), (Outcome.STOPPED, [1]))
        self.assertEqual(outcome.failed, {self.names[0]: ("rejected", "bad_config")})
        self.assertEqual(len(self.backend.events("config_trial")), 0)


if __name__ == "__main__":
    unittest.main()
