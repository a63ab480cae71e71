"""RabbitMQ loses what it acknowledged. Receipts bring it back unasked, a replay when it is asked for, and nothing else does."""
import signal
import time
import unittest

from world import World, wait_for

PROFILE = """[profile]
format = 1
name = count
maker = test
model = a counter that grows with each answered poll
[points]
count = holding 0 u32 kind=counter
"""


class Gap(unittest.TestCase):
    def start(self, name, *flags):
        meters = self.world.meters(f"meters-{name}", "--tcp", 0, "--meters", "1", "--counter", "holding:0")
        return self.world.gateway(name, "--bus", f"name=b,tcp=127.0.0.1:{meters.ports()[0]}", "--profile-dir",
                                  self.world.lab.folder, "--meter", "id=m1,bus=b,unit=1,profile=count,every=250ms", *flags)

    @staticmethod
    def acknowledged(agent):
        try:
            return agent.ask()["uplink"]["lanes"]["readings"]["acknowledged"]
        except OSError:
            return 0  # not yet there

    def test_a_gap_is_closed_by_receipts_and_by_a_replay(self):
        self.world = self.enterContext(World("receipted", "asked"))
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        agents = {"receipted": self.start("receipted", "--delivery", "receipt", "--receipt-timeout", "1s"),
                  "asked": self.start("asked")}
        for name, agent in agents.items():
            wait_for(f"records of {name}", 20, lambda: self.acknowledged(agent) >= 8)  # noqa: B023
        self.world.rabbit.ctl("purge_queue", "metergate.readings")

        deaf = self.world.backend({})  # sends no receipts and asks for nothing
        wait_for("records of both", 20, lambda: len(deaf.db.rows("SELECT 1 FROM lanes WHERE name = 'readings'")) == 2)
        time.sleep(4)  # what has no receipt is sent again by then
        (gateway, first, last), = self.gaps(deaf)
        self.assertEqual((gateway, first), ("asked", 1), "records without a receipt come again, others do not")
        self.assertGreater(last, 5)
        deaf.close()

        backend = self.world.backend({}, receipts=True, replay=True)
        wait_for("every record", 40, lambda: not self.gaps(backend))
        wait_for("a receipt for everything", 20, lambda: agents["receipted"].ask()["store"]["readings"]["waiting"] < 10)
        for name, agent in agents.items():
            resent = agent.ask()["uplink"]["resent"]
            self.assertEqual(resent > 0, name == "receipted", f"{name}: {resent} sent again for want of a receipt")
            self.assertEqual(agent.kill(signal.SIGTERM), 0)
        replays = backend.db.rows("SELECT gateway, result ->> 'sent', result ->> 'missing' FROM operations WHERE op = 'replay'")
        self.assertIn(("asked", last, "[]"), replays)
        self.assertEqual(backend.db.rows("SELECT * FROM lost"), [])
        self.assertEqual(backend.db.rows("SELECT routing_key, why FROM aside"), [])

    @staticmethod
    def gaps(backend):
        return [(gateway, first, last) for gateway, _epoch, lane, first, last in backend.db.gaps() if lane == "readings"]


if __name__ == "__main__":
    unittest.main(verbosity=2)
