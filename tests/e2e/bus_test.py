"""The line between the agent and its meters: silence, unplugging, late answers, and never a value under the wrong name."""
import time
import unittest

from case import GatewayTest
from lab import free_port, wait_for


class Bus(GatewayTest):
    def test_silent_meters_cost_the_healthy_ones_nothing(self):
        broker = self.lab.broker()
        sim = self.serial_sim(units="1-6")
        for unit in (4, 5, 6):
            sim.tell(f"silent={unit}")
        backend = self.lab.backend(broker.port)
        self.lab.agent(*self.flags(broker, units=(1, 2, 3, 4, 5, 6), every="1s", bus_more=",timeout=200ms"))
        wait_for("three silent meters", 25, lambda: len(backend.events("meter_silent")) == 3)
        begin = time.time()
        time.sleep(8)
        slots = {unit: {r["slot"] for r in backend.all("readings") if r["meter"] == f"m{unit}" and "slot" in r and
                        r["quality"] == "good" and self.unix(r["slot"]) >= begin} for unit in (1, 2, 3)}
        for unit, seen in slots.items():
            self.assertGreaterEqual(len(seen), 7, f"meter m{unit}")
        sim.tell("silent=off")
        wait_for("all meters back", 60, lambda: len(backend.events("meter_back")) == 3)

    @staticmethod
    def unix(text):
        return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone

    def test_takes_the_port_back_after_it_was_unplugged(self):
        broker = self.lab.broker()
        sim = self.serial_sim()
        backend = self.lab.backend(broker.port)
        self.lab.agent(*self.flags(broker))
        wait_for("readings", 5, lambda: len(backend.all("readings")) > 5)
        sim.tell("unplug")
        wait_for("the event", 5, lambda: backend.events("bus_down"))
        time.sleep(1)
        sim.tell("plug")
        wait_for("the bus up", 40, lambda: backend.events("bus_up"))
        count = len(backend.all("readings"))
        wait_for("readings again", 5, lambda: len(backend.all("readings")) > count + 5)
        bad = [r for r in backend.all("readings") if r["quality"] == "bad"]
        self.assertLessEqual(len(bad), 6)
        self.assertEqual(backend.gaps(), {})

    def late(self, line_flag, sim_line):
        """Every register names its own address; answers come late and in order. No reading may carry another's value."""
        broker = self.lab.broker()
        sim = self.lab.sim(*sim_line, "--meters", "1-2", "--values", "address")
        profile = self.lab.folder / "profiles" / "address.ini"
        points = [f"r{a} = holding {a} u16" for a in (0, 5, 60, 61, 62, 100, 101, 102, 103, 199)]
        profile.write_text("[profile]\nformat = 1\nname = address\nmaker = test\nmodel = address\nhole = 0\nmax_registers = 4\n"
                           "[points]\n" + "\n".join(points) + "\n")
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent("--gateway-id", "gw", "--bus", f"name=b,{line_flag},timeout=150ms",
                       "--meter", "id=m1,bus=b,unit=1,profile=address,every=0s", "--meter", "id=m2,bus=b,unit=2,profile=address,every=0s",
                       "--profile-dir", self.lab.folder / "profiles", "--upstream", f"mqtt://127.0.0.1:{broker.port}",
                       "--store", self.lab.folder / "metergate.db", "--commit-every", "100ms")
        wait_for("readings", 10, lambda: len(backend.all("readings")) > 4)
        for factor in (1.1, 1.7, 2.5, 3.5):
            sim.tell(f"late=7:{int(150 * factor)}")
            time.sleep(2.5)
            sim.tell("late=off")
            time.sleep(0.7)
        readings = backend.all("readings")
        wrong = [(name, value) for r in readings for name, value in r.get("values", {}).items() if value != int(name[1:])]
        self.assertEqual(wrong, [])
        tail = [r["quality"] for r in readings][-6:]
        self.assertIn("good", tail)
        self.assertGreater(agent.ask()["buses"][0]["timeouts"], 5, "nothing was late")

    def test_takes_no_late_answer_for_another_on_rtu(self):
        self.late(f"device={self.line},baud=115200,mode=8N1", ("--pty", self.line, "--baud", "115200", "--mode", "8N1"))

    def test_takes_no_late_answer_for_another_on_rtu_over_tcp(self):
        port = free_port()
        self.late(f"rtu-over-tcp=127.0.0.1:{port}", ("--rtu-tcp", port))

    def test_takes_no_late_answer_for_another_on_tcp(self):
        port = free_port()
        self.late(f"tcp=127.0.0.1:{port}", ("--tcp", port))


if __name__ == "__main__":
    unittest.main(verbosity=2)
