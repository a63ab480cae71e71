"""The command `replay`: what the broker acknowledged and lost comes again, also through a kill and an outage in its middle."""
import signal
import time
import unittest

from case import GatewayTest
from lab import free_port, wait_for

MANY = 800  # records to replay
COMMIT = ["--commit-every", "100ms"]


class Replay(GatewayTest):
    def setUp(self):
        super().setUp()
        self.broker = self.lab.broker()
        self.port = free_port()
        self.lab.sim("--tcp", self.port, "--meters", "1-3", "--counter", "holding:0")

    def gateway(self, *more, every=None, name="agent"):
        meters = []
        for unit in (1, 2, 3):
            schedule = f",every={every},points=count" if every else ""
            meters += ["--meter", f"id=m{unit},bus=plant,unit={unit},profile=count{schedule}"]
        agent = self.lab.agent("--gateway-id", "gw", "--bus", f"name=plant,tcp=127.0.0.1:{self.port}", *meters,
                               "--profile-dir", self.lab.folder / "profiles", "--upstream", f"mqtt://127.0.0.1:{self.broker.port}",
                               "--trust-clock", "--store", self.lab.folder / "metergate.db", "--backoff-min", "200ms",
                               "--backoff-max", "1s", *COMMIT, *more, name=name)
        wait_for("the connection", 10, lambda: self.state(agent).get("uplink", {}).get("connected"))
        return agent

    @staticmethod
    def state(agent):
        try:
            return agent.ask()
        except (OSError, ValueError):
            return {}  # not yet there

    def lose(self):
        """Records that the broker acknowledged with nobody subscribed: it has forgotten them. Their epoch and numbers."""
        agent = self.gateway(every="0s", name="first")
        wait_for("records", 30, lambda: self.state(agent)["uplink"]["lanes"]["readings"]["acknowledged"] > MANY)
        epoch = agent.ask()["epoch"]
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        return epoch

    def last_of(self, backend, epoch):
        """As the next start tells it."""
        def told():
            return next((e["detail"]["previous"]["last"]["readings"] for e in backend.events("started")
                         if (e["detail"]["previous"] or {}).get("epoch") == epoch), None)
        return wait_for("the last number", 10, told)

    def test_goes_on_through_a_kill_and_an_outage_and_misses_nothing(self):
        epoch = self.lose()
        backend = self.lab.backend(self.broker.port)
        agent = self.gateway("--batch", "1", "--max-inflight", "1")
        last = self.last_of(backend, epoch)
        backend.send({"id": "r1", "op": "replay", "epoch": epoch, "from_seq": 1, "to_seq": last})
        progress = lambda n: wait_for(f"{n} records", 20, lambda: self.state(agent).get("replay", {}).get("sent", 0) > n)  # noqa: E731
        progress(last // 5)
        backend.send({"id": "status", "op": "status"})
        self.assertEqual(backend.result("status", 1)["replay"]["command"], "r1", "a result waits for no replay")
        sent = self.state(agent)["replay"]["sent"]
        commits = agent.ask()["store"]["commits"]
        wait_for("two commits", 20, lambda: agent.ask()["store"]["commits"] >= commits + 2)
        agent.kill()
        agent.start()
        progress(last * 2 // 5)
        self.broker.kill(signal.SIGTERM)
        time.sleep(0.5)
        self.broker.start()
        progress(last * 3 // 5)
        self.assertEqual(backend.results.get("r1", []), [], "there is an answer before the end")

        result = backend.result("r1", 60)
        self.assertEqual((result["status"], result["sent"], result["missing"]), ("done", last, []))
        numbers = [r["seq"] for r in backend.all("readings") if f"/{epoch}/" in r["id"]]
        self.assertEqual(sorted(numbers), list(range(1, last + 1)))
        self.assertEqual(backend.conflicts, [])
        # It went on where it was: what came twice was not yet remembered, or on its way.
        self.assertEqual([n for n in range(1, sent + 1) if f"gw/{epoch}/readings/{n}" in backend.repeated], [])
        self.assertNotIn("replay", agent.ask())

    def test_by_time_and_meter_behind_one_another_with_the_same_bytes(self):
        backend = self.lab.backend(self.broker.port)
        agent = self.gateway(every="200ms", name="first")
        wait_for("records", 20, lambda: len(backend.all("readings")) > 30)
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        agent = self.gateway()
        time.sleep(0.5)
        kept = backend.all("readings")
        times = sorted(r["at"] for r in kept)
        start, end = times[5], times[-6]
        backend.send({"id": "all", "op": "replay", "from": start, "to": end})
        backend.send({"id": "m2", "op": "replay", "from": times[0], "to": times[-1], "meter": "m2"})
        backend.send({"id": "events", "op": "replay", "lane": "events", "from": times[0], "to": "2100-01-01T00:00:00Z"})
        backend.send({"id": "nobody", "op": "replay", "epoch": "feedfeedfeed", "from_seq": 3, "to_seq": 9})
        self.assertEqual(backend.result("all")["sent"], sum(start <= t <= end for t in times))
        self.assertEqual(backend.result("all")["missing"], [])
        self.assertEqual(backend.result("m2")["sent"], sum(r["meter"] == "m2" for r in kept))
        self.assertEqual(backend.result("m2")["meter"], "m2")
        self.assertGreaterEqual(backend.result("events")["sent"], 1)
        self.assertEqual(backend.result("nobody")["missing"],
                         [{"epoch": "feedfeedfeed", "lane": "readings", "from_seq": 3, "to_seq": 9, "why": "unknown"}])
        self.assertEqual(backend.conflicts, [])
        order = [backend.result(command)["seq"] for command in ("all", "m2", "events", "nobody")]
        self.assertEqual(order, sorted(order), "one behind the other")

    def test_tells_what_is_no_longer_kept(self):
        epoch = self.lose()
        backend = self.lab.backend(self.broker.port)
        agent = self.gateway("--keep-sent", "1s")
        last = self.last_of(backend, epoch)
        time.sleep(3)
        backend.send({"id": "r1", "op": "replay", "epoch": epoch, "from_seq": 1, "to_seq": last + 1})
        result = backend.result("r1", 20)
        self.assertEqual(result["sent"], 0)
        missing = [(m["from_seq"], m["to_seq"], m["why"]) for m in result["missing"]]
        self.assertEqual(missing, [(1, last, "purged"), (last + 1, last + 1, "unknown")])
        self.assertTrue(agent.running())


if __name__ == "__main__":
    unittest.main(verbosity=2)
