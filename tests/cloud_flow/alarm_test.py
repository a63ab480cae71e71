"""A node that is out of memory, or that forbids one lane: nothing is lost, nothing else stands still, and the log says it once."""
import time
import unittest

from crash_test import PROFILE
from world import World, wait_for

NO_PUBACK = 15  # seconds after which the agent gives up a connection whose oldest message is not acknowledged


class Alarm(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World("g"))
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        self.backend = self.world.backend({})
        self.sim = self.world.meters("meters", "--tcp", 0, "--meters", "1-3", "--counter", "holding:0")
        meters = [w for n in (1, 2, 3) for w in ("--meter", f"id=m{n},bus=b,unit={n},profile=count,every=250ms")]
        self.agent = self.world.gateway("g", "--bus", f"name=b,tcp=127.0.0.1:{self.sim.ports()[0]},connect-timeout=1s", *meters,
                                        "--profile-dir", self.world.lab.folder)
        self.world.await_state(self.backend, "g", "online")
        wait_for("readings", 10, lambda: self.highest() > 10)

    def highest(self, lane="readings"):
        return self.backend.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes WHERE name = ?", lane)[0][0]

    def lines(self, text):
        return [line for line in self.agent.log().splitlines() if text in line]

    def expect_polling(self):
        before = len(self.sim.frames("reply"))
        time.sleep(1)
        self.assertGreater(len(self.sim.frames("reply")) - before, 6, "polling stood still")

    def expect_all(self):
        """Everything taken so far arrives; the next start tells how many there were."""
        wait_for("the backlog sent", 30, lambda: self.agent.ask()["store"]["readings"]["waiting"] < 30)
        self.agent.kill(15)
        self.agent.start()
        wait_for("the start of the next epoch", 20, lambda: len(self.backend.db.epochs("g")) == 2)
        wait_for("every record", 30, lambda: not self.backend.db.rows("SELECT * FROM gaps"))

    def test_a_node_without_memory_gets_everything_when_it_has_some_again(self):
        self.world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        wait_for("the connection given up", NO_PUBACK + 15, lambda: self.lines("no connection to the broker"))
        self.expect_polling()
        lines = len(self.lines(""))
        time.sleep(15)
        self.assertLessEqual(len(self.lines("")) - lines, 2, self.agent.log())
        before = self.highest()
        self.world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "512MB")
        wait_for("readings again", 40, lambda: self.highest() > before + 100)
        self.expect_all()

    def allow(self, up):
        self.world.rabbit.ctl("set_topic_permissions", "g", "amq.topic", rf"^metergate\.g\.({up})$",
                              r"^metergate\.g\.(commands|receipts|status)$")

    def test_a_lane_that_the_node_forbids_stops_no_other(self):
        self.allow("readings|results|status|catalog")
        self.sim.command("unplug")
        time.sleep(2)
        self.sim.command("plug")
        wait_for("the events refused", 40, lambda: self.agent.ask()["uplink"]["lanes"]["events"]["refused"])
        before = self.highest()
        wait_for("readings all the same", 20, lambda: self.highest() > before + 30)
        self.assertEqual(len(self.lines("ends the connection at a message")), 1)
        self.assertEqual(self.agent.ask()["uplink"]["lanes"]["readings"]["refused"], False)
        self.allow("readings|results|events|status|catalog")
        wait_for("the events again", 60, lambda: not self.agent.ask()["uplink"]["lanes"]["events"]["refused"])
        self.expect_all()


if __name__ == "__main__":
    unittest.main(verbosity=2)
