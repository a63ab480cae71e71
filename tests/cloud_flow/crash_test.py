"""RabbitMQ is killed while records go up and commands down: every record arrives, every command is executed once."""
import collections
import signal
import threading
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
FIRST = 1000  # the first of the registers of which every command reads one of its own


class Crash(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World("near", "far"))
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        self.backend = self.world.backend({})
        self.sims = {name: self.world.meters(f"meters-{name}", "--tcp", 0, "--meters", "1-3", "--counter", "holding:0",
                                             "--registers", "holding:0-1999") for name in ("near", "far")}
        self.commands = collections.defaultdict(list)

    def start(self, name, every="250ms"):
        meters = []
        for unit in (1, 2, 3):
            meters += ["--meter", f"id=m{unit},bus=b,unit={unit},profile=count" + (f",every={every}" if every else "")]
        return self.world.gateway(name, "--bus", f"name=b,tcp=127.0.0.1:{self.sims[name].ports()[0]}", *meters, "--profile-dir",
                                  self.world.lab.folder)

    def command(self, gateway):
        """One read of a register that no other command reads."""
        address = FIRST + len(self.commands[gateway])
        route = {"route": {"bus": "b", "unit": 1}, "registers": {"table": "holding", "address": address, "count": 1}}
        self.commands[gateway].append(self.backend.commands.send(gateway, {"op": "read", **route}))

    def executions(self, gateway):
        return collections.Counter(f["address"] for f in self.sims[gateway].frames("request") if f["address"] >= FIRST)

    def sent(self):
        return self.backend.db.rows("SELECT sum(sent) FROM operations")[0][0]

    def open_commands(self):
        return self.backend.db.rows("SELECT command FROM operations WHERE result IS NULL")

    def highest(self, lane="readings"):
        return self.backend.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes WHERE name = ?", lane)[0][0]

    def test_a_killed_node_costs_no_record_and_no_command(self):
        near, far = self.start("near"), self.start("far", every=None)
        for name in ("near", "far"):
            self.world.await_state(self.backend, name, "online")
        far.kill(signal.SIGTERM)  # its commands have to wait in the broker, through the crash
        self.world.await_state(self.backend, "far", "offline")
        for _ in range(5):
            self.command("far")
        for times in (1, 2):  # each waits there twice
            wait_for("the commands sent", 10, lambda: self.sent() == 5 * times)  # noqa: B023
            self.backend.db.send_again("far")
            self.backend.sender.wake()
        wait_for("records on their way", 10, lambda: self.highest() >= 20)

        def crash():
            time.sleep(1.5)
            self.world.rabbit.kill()
            self.world.rabbit.start()

        crashing = threading.Thread(target=crash)
        crashing.start()
        end = time.monotonic() + 4
        while time.monotonic() < end or crashing.is_alive():
            self.command("near")
            time.sleep(0.15)
        crashing.join()
        before = self.highest()
        far.start()
        wait_for("the result of every command", 90, lambda: not self.open_commands())
        wait_for("records again", 20, lambda: self.highest() > before + 20)
        self.assertGreater(len(self.commands["near"]), 20)

        # The next start tells how many records there are: what is missing would show as a gap.
        near.kill(signal.SIGTERM)
        near.start()
        wait_for("the start of the next epoch", 20, lambda: len(self.backend.db.epochs("near")) == 2)
        first, _second = self.backend.db.epochs("near")
        wait_for("every record", 30, lambda: not self.backend.db.rows("SELECT * FROM gaps"))
        for gateway, epoch, lane, count, highest in self.backend.db.account():
            if (gateway, epoch) == ("near", first):
                self.assertEqual(count, highest, lane)
        for gateway, commands in self.commands.items():
            self.assertEqual(self.executions(gateway), {FIRST + i: 1 for i in range(len(commands))}, gateway)
        self.assertEqual(self.backend.db.rows("SELECT routing_key, why, body FROM aside"), [])
        results = self.backend.db.rows("SELECT body ->> 'command' FROM records JOIN lanes ON lanes.lane = records.lane "
                                       "WHERE name = 'results'")
        self.assertEqual(sorted(command for command, in results), sorted(sum(self.commands.values(), [])))


if __name__ == "__main__":
    unittest.main(verbosity=2)
