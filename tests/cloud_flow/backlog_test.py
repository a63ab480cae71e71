"""A pile-up, before, during and after: sized, moved into many queues, taken by ten times the consumers, and what was lost meanwhile
asked for in a quiet hour. The loss is made here."""
import signal
import subprocess
import time
import unittest

from world import TESTS, World, wait_for

from backend.operations import time_text

PROFILE = """[profile]
format = 1
name = count
maker = test
model = a counter that grows with each answered poll
[points]
count = holding 0 u32 kind=counter
"""


class Backlog(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World("g", "away", postgres=True, shards=2))
        self.db = self.world.db()
        self.settings = self.world.settings_file()
        self.world.rabbit.ctl("add_user", "operator", "word")
        self.world.rabbit.ctl("set_permissions", "operator", ".*", ".*", ".*")
        self.operator = self.world.settings_file(amqp=self.world.amqp("operator", "word"))

    def run_to_end(self, name, *words, seconds=120):
        program = self.world.program(name, *words)
        self.assertEqual(program.child.wait(seconds), 0, program.log())
        return program.log()

    def stored(self):
        return self.db.rows("SELECT count(*) FROM records")[0][0]

    def test_full_queues_are_emptied_into_many_and_taken_by_ten_times_the_consumers(self):
        sent = self.world.load_ended(self.world.load(gateways=50, messages=5000), 120)
        told = self.run_to_end("move", "move", "--settings", self.operator, "--backlog", 10, *(
            f"metergate.shards-2.{n}" for n in range(2)))
        self.assertIn(f"moved {sent['messages']} messages", told)
        self.assertEqual(self.stored(), 0)
        many = [self.world.program(f"backlog-{n}", "consume", "--settings", self.settings, "--backlog", 10, "--number", n,
                                   "--consumers", 10, "--until-empty") for n in range(10)]
        for consumer in many:
            self.assertEqual(consumer.child.wait(120), 0, consumer.log())
        self.assertEqual((self.stored(), self.db.gaps()), (sent["records"], []))
        names = [name for name, in self.db.rows("SELECT consumer FROM counters WHERE messages > 0")]
        self.assertEqual(len(names), 10, names)

    def test_a_mover_that_is_killed_loses_nothing(self):
        sent = self.world.load_ended(self.world.load(gateways=50, messages=8000), 120)
        words = "move", "--settings", self.operator, "--backlog", 3, *(f"metergate.shards-2.{n}" for n in range(2))
        killed = self.world.program("killed", *words)
        wait_for("some work", 30, lambda: any(int(line.split()[2]) > 100 for line in killed.log().splitlines() if " moved" in line))
        killed.kill()
        self.run_to_end("move", *words)
        self.run_to_end("backlog", "consume", "--settings", self.settings, "--backlog", 3, "--until-empty")
        self.assertEqual((self.stored(), self.db.gaps()), (sent["records"], []))

    def gateway(self, name, *flags):
        meters = self.world.meters(f"meters-{name}", "--tcp", 0, "--meters", "1", "--counter", "holding:0")
        return self.world.gateway(name, "--bus", f"name=b,tcp=127.0.0.1:{meters.ports()[0]}", "--profile-dir", self.world.lab.folder,
                                  "--meter", "id=m1,bus=b,unit=1,profile=count,every=1s", *flags)

    def highest(self, gateway):
        return self.db.rows("SELECT coalesce(sum(highest), 0) FROM lanes WHERE gateway = ? AND name = 'readings'", gateway)[0][0]

    def test_what_was_lost_is_asked_for_in_a_quiet_hour(self):
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        web = self.world.web({})
        agents = {name: self.gateway(name) for name in ("g", "away")}
        consumer, = self.world.consumers(1)
        begin = time.time() + 2
        wait_for("readings of both", 60, lambda: all(self.highest(name) > 5 for name in agents))

        consumer.kill()  # loss 1: the broker loses what it acknowledged
        time.sleep(5)
        for n in range(2):
            self.world.rabbit.ctl("purge_queue", f"metergate.shards-2.{n}")
        consumer.start()
        wait_for("the gaps", 60, lambda: {gateway for gateway, *_lane in self.db.gaps()} == set(agents))
        self.db.rows("DELETE FROM records WHERE seq IN (3, 4) AND lane IN (SELECT lane FROM lanes WHERE gateway = 'g' AND "
                     "name = 'readings')")  # loss 2: the db itself, as after a backup; no number tells it
        agents["away"].kill(signal.SIGTERM)  # and one is not there tonight
        end = time.time() - 1
        wait_for("all but the lost", 30, lambda: len(self.db.gaps()) >= 2)

        words = "compensate", "--settings", self.settings, time_text(begin), time_text(end), "--pace", 20, "--patience", 25
        told = self.run_to_end("compensate", *words)
        self.assertEqual([gateway for gateway, *_gap in self.db.gaps() if gateway == "g"], [], told)
        self.assertEqual(self.db.rows("SELECT count(*) FROM records JOIN lanes ON lanes.lane = records.lane WHERE gateway = 'g' AND "
                                      "name = 'readings' AND seq IN (3, 4)"), [(2,)], told)
        self.assertEqual({gateway for gateway, *_gap in self.db.gaps()}, {"away"}, told)

        agents["away"].start()  # days later: its replay waited for it
        wait_for("the rest", 60, lambda: not self.db.gaps())
        again = self.run_to_end("compensate", *words)
        self.assertIn("0 numbers open", again.splitlines()[-1])
        self.assertIsNotNone(web)

    def test_what_cannot_be_had_is_written_down_with_its_reason(self):
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        self.world.web({})
        agent = self.gateway("g")
        self.world.consumers(1)
        wait_for("readings", 60, lambda: self.highest("g") > 3)
        self.db.rows("INSERT INTO lanes (gateway, epoch, name, highest) VALUES ('g', 'aaaaaaaaaaaa', 'readings', 9)")
        self.db.rows("INSERT INTO gaps (lane, first, last, since, ask_at) SELECT lane, 3, 5, 0, 0 FROM lanes WHERE highest = 9 AND "
                     "epoch = 'aaaaaaaaaaaa'")  # of an epoch whose records the gateway no longer has
        begin, end = time.time() - 7200, time.time() - 3600  # before its first start
        told = self.run_to_end("compensate", "compensate", "--settings", self.settings, time_text(begin), time_text(end), "--pace", 20,
                               "--patience", 20)
        self.assertIn("cannot be had: g/aaaaaaaaaaaa/readings 3 to 5: ", told)
        self.assertIn("the gateway has no reading of this time", told)
        self.assertEqual(agent.kill(signal.SIGTERM), 0)

    def test_the_size_is_told_before_it_comes(self):
        told = subprocess.run(["/usr/bin/python3", "-B", "-m", "backend", "size", "--gateways", "100000"], cwd=TESTS, check=True,
                              capture_output=True, text=True).stdout
        self.assertIn("records a second                                            16,667", told)


if __name__ == "__main__":
    unittest.main(verbosity=2)
