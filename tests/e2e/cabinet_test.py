"""The person at the cabinet, beside a running agent: the port on loan, what the store holds, a reading now."""
import fcntl
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from case import GatewayTest
from lab import AGENT, wait_for


class Cabinet(GatewayTest):
    def begin(self, *more, sim=(), **kwargs):
        self.broker = self.lab.broker()
        self.sim = self.serial_sim(*sim)
        self.backend = self.lab.backend(self.broker.port)
        self.agent_flags = self.flags(self.broker, *more, **kwargs)
        self.agent = self.lab.agent(*self.agent_flags)
        wait_for("a reading", 10, lambda: self.backend.all("readings"))

    def metergate(self, *words, status=0):
        done = subprocess.run([AGENT, *map(str, words), "--control", str(self.agent.control)], capture_output=True, text=True,
                              timeout=30)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stderr if status else done.stdout

    def port_is_free(self):
        port = os.open(self.line, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.flock(port, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            return False
        finally:
            os.close(port)

    def test_lends_the_port_until_it_is_asked_back_across_a_kill_and_says_what_was_missed(self):
        self.begin()
        self.assertFalse(self.port_is_free())
        begin = time.monotonic()
        self.assertIn("rs485-1 is paused until", self.metergate("pause", "rs485-1", "--for", "1h"))
        self.assertLess(time.monotonic() - begin, 1.5)
        self.assertTrue(self.port_is_free())
        self.backend.send({"id": "c", "op": "read", "meter": "m1"})
        self.assertEqual(self.backend.result("c")["error"]["code"], "bus_paused")
        self.agent.kill()
        self.agent.start()
        wait_for("the agent back", 10, lambda: len(self.backend.events("started")) == 2)
        time.sleep(1.0)
        self.assertTrue(self.port_is_free())
        before = len(self.sim.frames())
        self.assertIn("is resumed", self.metergate("resume", "rs485-1"))
        wait_for("the bus polled again", 3, lambda: len(self.sim.frames()) > before)
        wait_for("the event", 5, lambda: self.backend.events("bus_resumed"))
        self.assertEqual({e["detail"]["reason"] for e in self.backend.events("slots_missed")}, {"pause"})
        self.assertEqual(self.backend.events("bus_down") + self.backend.events("bus_up"), [])

    def test_lends_the_port_on_a_command_and_takes_it_back_by_itself(self):
        self.begin()
        self.backend.send({"id": "p", "op": "pause", "bus": "rs485-1", "for": "2s"})
        self.assertEqual(self.backend.result("p")["status"], "done")
        wait_for("the port free", 2, self.port_is_free)
        wait_for("the event", 6, lambda: self.backend.events("bus_resumed"))
        self.assertFalse(self.port_is_free())

    def test_tells_a_word_that_is_no_bus_and_that_no_agent_runs(self):
        self.begin()
        self.assertIn("did you mean 'rs485-1'", self.metergate("pause", "rs485-2", status=64))
        self.agent.kill(15)
        self.assertIn("no agent runs", self.metergate("pause", "rs485-1", status=69))

    def test_shows_and_exports_what_the_store_holds_with_and_without_the_agent(self):
        self.begin()
        self.backend.send({"id": "c1", "op": "read", "meter": "m1"})
        self.backend.result("c1")
        self.backend.send(b"no JSON")
        wait_for("the dead letter", 5, lambda: self.agent.ask()["store"]["dead_letters"] == 1)
        first, last = (r["at"] for r in (self.backend.all("readings")[0], self.backend.all("readings")[-1]))
        store = ["--store", self.lab.folder / "metergate.db"]

        def export():
            text = self.metergate("store", "export", *store, "--from", first, "--to", last, "--format", "jsonl")
            return {json.loads(line)["id"]: line for line in text.splitlines()}

        exported = export()
        wait_for("the same at the backend", 5, lambda: exported.keys() <= self.backend.records.keys())
        self.assertEqual(exported, {i: self.backend.records[i] for i in exported})
        self.assertGreaterEqual(len(exported), 3)
        lines = self.metergate("store", "export", *store, "--to", last, "--format", "csv").splitlines()
        self.assertEqual(lines[0], "id,seq,at,clock,meter,poll,slot,quality,point,value,error")
        self.assertIn(",good,count,1000000", lines[1])
        for _ in ("beside the agent", "without it"):
            self.assertRegex(self.metergate("store", "commands", *store), "c1 +read +rs485-1 +done")
            self.assertIn("no JSON", self.metergate("store", "dead", *store))
            self.assertRegex(self.metergate("store", *store), "readings +[0-9]")
            self.assertEqual(self.metergate("store", "drops", *store, "--json"), "")
            self.agent.kill(15)
        self.assertEqual(export(), exported)

    def local_read(self, unit):
        """A connection that waits for the answer."""
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.settimeout(10)
        s.connect(str(self.agent.control))
        s.sendall(json.dumps({"ask": "read", "bus": "rs485-1", "unit": unit, "table": "holding", "address": 0, "count": 1}).encode() + b"\n")
        return s

    def answer(self, unit):
        with self.local_read(unit) as s:
            return json.loads(s.recv(65536))

    def test_is_busy_when_sixteen_wait_for_a_bus_and_asks_nothing_for_those_that_are_gone(self):
        self.begin(bus_more=",timeout=2s")
        self.sim.tell("silent=9")
        waiting = [self.local_read(9) for _ in range(16)]
        wait_for("them all", 5, lambda: self.agent.ask()["buses"][0]["commands_waiting"] >= 15)
        self.assertEqual(self.answer(1)["error"]["code"], "busy")
        self.assertIn("rs485-1", self.metergate("read", "--bus", f"name=x,device={self.line},baud=19200,mode=8N1", "--unit", 1,
                                                "--table", "holding", "--address", 0, status=69))
        for client in waiting:
            client.close()
        before = self.asked_of(9)
        wait_for("room again", 10, lambda: "registers" in self.answer(1))
        self.assertLessEqual(self.asked_of(9) - before, 1, "the one whose turn it was")

    def asked_of(self, unit):
        return sum(frame["kind"] == "request" and frame["unit"] == unit for frame in self.sim.frames())

    def test_watching_and_reading_all_end_with_what_is_known_when_they_are_interrupted(self):
        self.begin()
        for more, shown in (["m1", "--watch", "1s", "--json"], '"quality":"good"'), (["--all", "--count", "100000"], "\nm1 "):
            reading = subprocess.Popen([AGENT, "read", *map(str, self.agent_flags), *more, "--control", str(self.agent.control)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            before = len(self.sim.frames())
            wait_for("some frames", 10, lambda: len(self.sim.frames()) > before + 30)
            reading.send_signal(signal.SIGINT)
            out, err = reading.communicate(timeout=20)
            self.assertEqual(reading.returncode, 0, err)
            self.assertIn(shown, "\n" + out)

    def test_reads_beside_the_agent_without_a_trace_upstream_and_the_port_itself_while_it_is_lent(self):
        self.begin()
        count = {"--bus": f"name=x,device={self.line},baud=19200,mode=8N1", "--profile": "count"}
        words = [word for pair in count.items() for word in pair] + ["--profile-dir", self.lab.folder / "profiles"]
        reading = json.loads(self.metergate("read", *words, "--unit", 2, "--json"))
        self.assertEqual(reading["quality"], "good")
        self.assertEqual(reading["values"]["count"] // 10000000, 2)
        self.assertEqual(len(reading["registers"]["count"]), 2)
        self.assertRegex(self.metergate("read", *words, "--unit", 3), "count +3[0-9]{7} +holding 0: [0-9A-F]{4} [0-9A-F]{4}")
        sheet = self.metergate("read", *self.agent_flags, "--all", "--count", 5, "--json").splitlines()
        self.assertEqual([(json.loads(line)["meter"], json.loads(line)["answers"]) for line in sheet], [("m1", 5), ("m2", 5), ("m3", 5)])
        self.assertIn("metergate pause rs485-1", self.metergate("read", "--bus", f"name=x,device={self.line},baud=9600,mode=8N1",
                                                                "--unit", 1, "--table", "input", "--address", 0, status=69))
        self.sim.tell("silent=2")
        self.assertIn("usual cause: another unit", self.metergate("read", *words, "--unit", 2, status=69))
        self.metergate("pause", "rs485-1")
        self.assertIn('"quality":"good"', self.metergate("read", *words, "--unit", 1, "--json"))
        self.assertEqual(self.backend.all("results"), [])
        self.assertEqual(self.agent.ask()["store"]["known_commands"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
