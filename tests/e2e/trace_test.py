"""`metergate trace`: what went over the wire of a bus, also after the fault, for people, for programs and for Wireshark."""
import json
import shutil
import subprocess
import unittest

from case import GatewayTest
from lab import AGENT, free_port, wait_for


class Trace(GatewayTest):
    def begin(self, *sim):
        self.sim = self.serial_sim(*sim, units="1-2")
        self.agent = self.lab.agent(*self.flags(self.lab.broker(), units=(1, 2)))
        wait_for("the agent", 20, self.agent.control.exists)

    def trace(self, *flags, bus="rs485-1"):
        done = subprocess.run([AGENT, "trace", bus, "--control", self.agent.control, *flags], capture_output=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def frames(self, bus="rs485-1"):
        return [json.loads(line) for line in self.trace("--format", "jsonl", bus=bus).splitlines()]

    def test_shows_requests_and_answers_as_the_meter_saw_them(self):
        self.begin()
        frames = wait_for("some frames", 20, lambda: (f := self.frames())[9:] and f)
        self.assertEqual([f["n"] for f in frames], list(range(1, len(frames) + 1)))
        self.assertEqual({f["verdict"] for f in frames}, {"request", "answer"})
        self.assertEqual({f["unit"] for f in frames}, {1, 2})
        requests = [f["bytes"] for f in frames if f["dir"] == "out"]
        self.assertTrue(requests[0].startswith("01030000") or requests[0].startswith("02030000"))
        self.assertTrue(all(f["check"] == "ok" and f["function"] == 3 and f["length"] == len(f["bytes"]) // 2 for f in frames))
        line = self.trace().decode().splitlines()[0]
        self.assertRegex(line, r"^20\d\d-.*Z > request unit [12] function 3 length 8: 0[12] 03 00 00 ")

    def test_keeps_what_was_before_the_fault(self):
        self.begin()
        wait_for("some frames", 20, lambda: self.frames()[9:])
        self.sim.tell("silent=1")
        self.sim.tell("silent=2")
        wait_for("two requests without an answer", 20, lambda: [f["dir"] for f in self.frames()[-2:]] == ["out", "out"])
        self.assertIn("answer", {f["verdict"] for f in self.frames()})

    def test_follows_the_bus_until_it_is_interrupted(self):
        self.begin()
        wait_for("a frame", 20, self.frames)
        follower = subprocess.Popen([AGENT, "trace", "rs485-1", "--follow", "--format", "jsonl", "--control", self.agent.control],
                                    stdout=subprocess.PIPE)
        try:
            numbers = [json.loads(follower.stdout.readline())["n"] for _ in range(30)]
            self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 30)))
            follower.terminate()
            follower.stdout.read()
            self.assertEqual(follower.wait(10), 0)
        finally:
            follower.kill()
            follower.stdout.close()
            follower.wait()

    def test_a_trace_of_the_field_is_a_meter_of_the_simulator(self):
        self.begin("--fault", "corrupt=4", "--fault", "silent=2")
        wait_for("a good many frames", 30, lambda: len(self.frames()) > 60)
        trace = self.lab.folder / "field.jsonl"
        trace.write_bytes(self.trace("--format", "jsonl"))
        field = [json.loads(line) for line in trace.read_text().splitlines()]
        self.assertIn("noise", {f["verdict"] for f in field})
        self.agent.kill()
        self.sim.kill()
        self.line.unlink(missing_ok=True)
        self.lab.sim("--pty", self.line, "--baud", "19200", "--mode", "8N1", "--replay", trace, name="again")
        self.agent.control.unlink(missing_ok=True)
        self.agent.start()
        wait_for("the agent", 20, self.agent.control.exists)
        wait_for("answers and noise", 30, lambda: {"answer", "noise"} <= {frame["verdict"] for frame in self.frames()})
        again = self.frames()
        heard = [f["bytes"] for f in field if f["dir"] == "in"]
        own = [f["bytes"] for f in again if f["verdict"] == "answer"]  # noise may be cut elsewhere
        self.assertEqual([b for b in own if b not in heard], [])
        self.assertNotIn(2, {f.get("unit") for f in again if f["dir"] == "in"}, "what was silent is silent")

    def test_names_the_buses_that_there_are(self):
        self.begin()
        done = subprocess.run([AGENT, "trace", "rs485-2", "--control", self.agent.control], capture_output=True, text=True)
        self.assertEqual(done.returncode, 64)
        self.assertIn("rs485-1", done.stderr)

    @unittest.skipUnless(shutil.which("tshark"), "tshark is not installed")
    def test_is_decoded_as_modbus_by_wireshark(self):
        port = free_port()
        self.lab.sim("--tcp", port, "--meters", "1-2", "--counter", "holding:0", name="tcp")
        self.serial_sim(units="1-2")
        self.agent = self.lab.agent(*self.flags(
            self.lab.broker(), "--bus", f"name=plant,tcp=127.0.0.1:{port}", "--meter", "id=t,bus=plant,unit=1,profile=count,every=250ms,points=count",
            units=(1, 2)))
        wait_for("the agent", 20, self.agent.control.exists)
        for bus, protocol in (("rs485-1", "mbrtu"), ("plant", "mbtcp")):
            wait_for("some frames", 20, lambda: self.frames(bus)[9:])  # noqa: B023
            capture = self.lab.folder / f"{bus}.pcapng"
            capture.write_bytes(self.trace("--format", "pcapng", bus=bus))
            shown = subprocess.run(["tshark", "-r", capture, "-T", "fields", "-e", "frame.protocols", "-e", "modbus.func_code",
                                    "-e", "modbus.reference_num", "-e", "modbus.byte_cnt", "-e", "_ws.malformed"],
                                   capture_output=True, text=True, timeout=60).stdout.splitlines()
            self.assertGreaterEqual(len(shown), 10)
            for line in shown:
                protocols, function, reference, count, malformed = (line.split("\t") + [""] * 5)[:5]
                self.assertIn(f"{protocol}:modbus", protocols)
                self.assertEqual(function, "3")
                self.assertTrue(reference == "0" or count == "4", line)
                self.assertEqual(malformed, "")


if __name__ == "__main__":
    unittest.main()
