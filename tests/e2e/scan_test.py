"""Finding meters whose unit, baud and model nobody knows, on a line and beside a running agent."""
import json
import re
import signal
import socketserver
import struct
import subprocess
import threading
import unittest

from case import GatewayTest
from lab import AGENT, ROOT, wait_for

PROFILES = ROOT / "drivers" / "profile" / "models"


class TcpDevice(socketserver.ThreadingTCPServer):
    """Modbus TCP on loopback. `answer(unit, function, address, count)` gives registers, or an exception as a number."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, answer):
        class Connection(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(8)) == 8:
                    transaction, protocol, length, unit, function = struct.unpack(">HHHBB", head)
                    address, count = struct.unpack(">HH", self.rfile.read(length - 2)[:4])
                    given = answer(unit, function, address, count)
                    if isinstance(given, int):
                        pdu = bytes([function | 0x80, given])
                    else:
                        pdu = bytes([function, 2 * count]) + struct.pack(f">{count}H", *given)
                    self.wfile.write(struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu)

        super().__init__(("127.0.0.1", 0), Connection)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Scan(GatewayTest):
    def tcp_device(self, answer):
        device = TcpDevice(answer)
        self.addCleanup(device.server_close)
        self.addCleanup(device.shutdown)
        return ("--bus", f"name=plant,tcp=127.0.0.1:{device.port}")

    def scan(self, *argv, seconds=60):
        return subprocess.run([AGENT, "scan", "--control", str(self.lab.folder / "agent.control"), *map(str, argv)],
                              capture_output=True, text=True, timeout=seconds)

    def line_of(self, *meters, baud=19200):
        given = [word for unit, profile in meters for word in ("--meter", f"unit={unit},profile={PROFILES / profile}.ini,turn=20ms")]
        return self.lab.sim("--pty", self.line, "--baud", baud, "--mode", "8N1", "--heed-baud", *given)

    def test_finds_meters_and_suggests_flags_that_read_them(self):
        sim = self.line_of((5, "sdm630"), (9, "abb_b24"))
        done = self.scan("--bus", f"name=line,device={self.line},timeout=400ms", "--units", "4-9")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"scan of \S+: at most \d+ s, ")
        self.assertIn("9600 8N1, units 4 to 9", done.stderr)
        self.assertRegex(done.stdout, r"unit 5 at 19200 8N1 \(\d+ms\): seems to be Eastron SDM630: voltage_l1 2\d\d")
        self.assertRegex(done.stdout, r"unit 9 at 19200 8N1 \(\d+ms\): is ABB B24: ")
        flags = [word for line in re.findall(r"^  (--\S+ \S+)$", done.stdout, re.M) for word in line.split(" ", 1)]
        meters = [value for flag, value in zip(flags[::2], flags[1::2]) if flag == "--meter"]
        self.assertEqual([meter.split(",serial=")[0] for meter in meters],
                         ["id=unit-5,bus=line,unit=5,profile=sdm630,every=10s", "id=unit-9,bus=line,unit=9,profile=abb_b24,every=10s"])
        read = subprocess.run([AGENT, "read", "--bus", flags[1], "--meter", meters[1], "unit-9", "--json"], capture_output=True,
                              text=True, timeout=20)
        self.assertEqual(json.loads(read.stdout)["quality"], "good", read.stderr)
        self.assertEqual({frame["function"] for frame in sim.frames() if frame["kind"] == "request"}, {3, 4}, "reads alone")

    def test_tells_that_nobody_answers(self):
        self.line_of((5, "sdm630"))
        done = self.scan("--bus", f"name=line,device={self.line},timeout=200ms", "--units", "1-4", "--bauds", "19200", "--modes", "8N1")
        self.assertEqual(done.returncode, 69)
        self.assertEqual(done.stdout, "")
        self.assertIn("no unit answers", done.stderr)

    def test_takes_a_tcp_device_that_answers_for_every_unit_for_one(self):
        asked = set()
        bus = self.tcp_device(lambda unit, _f, _a, count: asked.add(unit) or [7] * count)
        done = self.scan(*bus)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.count("--meter"), 2, done.stdout)  # its flag, and that one is enough
        self.assertIn("the device does not look at the unit", done.stdout)
        self.assertEqual(asked, {1, 245, 246, 247})

    def test_takes_no_meters_from_a_gateway_that_answers_exception_4_for_absent_ones(self):
        done = self.scan(*self.tcp_device(lambda unit, _f, _a, count: [unit] * count if unit == 7 else 4))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.findall(r"--meter id=(\S+?),", done.stdout), ["unit-7"])
        self.assertIn("246 units from 1 to 247 give nothing but exception 4", done.stderr)

    def test_stops_with_what_is_known_when_it_is_interrupted(self):
        self.line_of((2, "sdm630"))
        scan = subprocess.Popen([AGENT, "scan", "--control", str(self.lab.folder / "agent.control"), "--bus",
                                 f"name=line,device={self.line},timeout=200ms", "--bauds", "19200", "--modes", "8N1"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = scan.stdout.readline()
        scan.send_signal(signal.SIGINT)
        out, err = scan.stdout.read(), scan.stderr.read()
        self.assertEqual(scan.wait(20), 0, err)
        self.assertIn("unit 2 at 19200 8N1", first)
        self.assertIn("unit=2,profile=sdm630", out)
        self.assertIn("stopped before its end; 1 found until then", err)

    def test_names_the_pause_that_frees_the_port_and_scans_during_it(self):
        self.line_of((5, "sdm630"))
        agent = self.lab.agent("--gateway-id", "gw", "--bus", f"name=hall,device={self.line},baud=19200,mode=8N1", "--meter",
                               "id=m,bus=hall,unit=5,profile=sdm630,every=1s", "--upstream", "mqtt://127.0.0.1:1", "--store",
                               self.lab.folder / "metergate.db")
        wait_for("the control socket", 10, lambda: agent.control.exists())
        wanted = ["--bus", f"name=line,device={self.line},timeout=200ms", "--units", "5", "--bauds", "19200", "--modes", "8N1"]
        refused = wait_for("the agent's lock", 10, lambda: next((r for r in [self.scan(*wanted)] if r.returncode == 69), None))
        command = re.search(r"'metergate (pause hall)'", refused.stderr)
        self.assertTrue(command, refused.stderr)
        paused = subprocess.run([AGENT, *command[1].split(), "--control", str(agent.control)], capture_output=True, text=True,
                                timeout=20)
        self.assertEqual(paused.returncode, 0, paused.stderr)
        self.assertIn("profile=sdm630", self.scan(*wanted).stdout)
        self.assertTrue(agent.running())


if __name__ == "__main__":
    unittest.main()
