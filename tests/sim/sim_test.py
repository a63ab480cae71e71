#!/usr/bin/python3
"""The simulator, asked by clients that share nothing with it: mbpoll (libmodbus), pymodbus, and bytes by hand."""

import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

from pymodbus.client import ModbusSerialClient, ModbusTcpClient

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from metersim import MeterSim  # noqa: E402
from peers import crc, rtu_framer  # noqa: E402

PROGRAM = ""
SAMPLE = os.path.join(HERE, "sample.ini")
SPEEDS = {9600: termios.B9600, 19200: termios.B19200}


def read_request(unit, function, address, count):
    pdu = struct.pack(">BBHH", unit, function, address, count)
    return pdu + crc(pdu)


class Line:
    """A serial master by hand."""

    def __init__(self, path, baud=9600, parity=0):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        speed = SPEEDS[baud]
        flags = termios.CS8 | termios.CREAD | termios.CLOCAL | parity
        termios.tcsetattr(self.fd, termios.TCSANOW, [0, 0, flags, 0, speed, speed, [b"\0"] * 32])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def send(self, frame):
        os.write(self.fd, frame)
        return time.monotonic()

    def receive(self, size, timeout=0.5):
        """At most `size` bytes, and when the last of them came."""
        data, at, deadline = b"", 0.0, time.monotonic() + timeout
        while len(data) < size and select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
            data += os.read(self.fd, size - len(data))
            at = time.monotonic()
        return data, at

    def ask(self, frame, size, timeout=0.5):
        time.sleep(0.008)
        self.send(frame)
        return self.receive(size, timeout)[0]


def sound(reply):
    return len(reply) > 3 and reply[-2:] == crc(reply[:-2])


class SimTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.link = os.path.join(self.folder.name, "line")

    def start(self, *arguments):
        sim = MeterSim(PROGRAM, self.folder.name, *arguments)
        self.addCleanup(sim.stop)
        return sim

    def serial(self, *arguments, baud=9600, mode="8N1"):
        return self.start("--pty", self.link, "--baud", baud, "--mode", mode, *arguments)

    def mbpoll(self, *arguments):
        return subprocess.run(["mbpoll", "-m", "rtu", "-b", "9600", "-P", "none", "-0", "-1", *arguments, self.link],
                              capture_output=True, text=True, timeout=10)


class Meters(SimTest):
    def test_mbpoll_reads_registers_that_name_their_address_and_gets_exceptions(self):
        self.serial("--meters", "1-3")
        answer = self.mbpoll("-a", "3", "-t", "4", "-r", "10", "-c", "4")
        self.assertRegex(answer.stdout, r"\[10\]:\s+10\n\[11\]:\s+11\n\[12\]:\s+12\n\[13\]:\s+13\n")
        self.assertIn("Illegal data address", self.mbpoll("-a", "3", "-t", "4", "-r", "199", "-c", "2").stderr)
        self.assertIn("timed out", self.mbpoll("-a", "4", "-t", "4", "-r", "0", "-o", "0.1").stderr)

    def test_pymodbus_writes_on_a_serial_line_and_reads_it_back(self):
        sim = self.serial("--meters", "7", "--registers", "holding:0-20", "--registers", "coil:0-20")
        client = ModbusSerialClient(port=self.link, baudrate=9600, parity="N", timeout=1)
        self.assertTrue(client.connect())
        self.addCleanup(client.close)
        client.write_register(5, 1234, slave=7)
        client.write_registers(6, [1, 65535], slave=7)
        client.write_coil(3, True, slave=7)
        client.write_coils(8, [True, True, False, True], slave=7)
        self.assertEqual(client.read_holding_registers(5, count=4, slave=7).registers, [1234, 1, 65535, 8])
        self.assertEqual(client.read_coils(3, count=1, slave=7).bits[:1], [True])
        self.assertEqual(client.read_coils(8, count=4, slave=7).bits[:4], [True, True, False, True])
        self.assertEqual(client.read_input_registers(0, count=1, slave=7).exception_code, 2)
        writes = sim.stats()["units"]["7"]["writes"]
        self.assertEqual(writes, {"coil:3": 1, "coil:8": 1, "coil:9": 1, "coil:10": 1, "coil:11": 1,
                                  "holding:5": 1, "holding:6": 1, "holding:7": 1})

    def test_tcp_endpoints_and_rtu_over_tcp_answer_side_by_side(self):
        sim = self.start("--tcp", "0", "--tcp-endpoints", "3", "--rtu-tcp", "0", "--meters", "1-2", "--values", "unit")
        self.assertEqual(len(sim.ports("tcp")), 3)
        clients = [ModbusTcpClient("127.0.0.1", port=port, timeout=1) for port in sim.ports("tcp")]
        clients.append(ModbusTcpClient("127.0.0.1", port=sim.ports("rtu-tcp")[0], framer=rtu_framer(), timeout=1))
        for client in clients:
            self.assertTrue(client.connect())
            self.addCleanup(client.close)
            self.assertEqual(client.read_holding_registers(4, count=2, slave=2).registers, [516, 517])
        self.assertEqual(clients[0].read_holding_registers(4, count=2, slave=9).exception_code, 11)

    def test_each_poll_of_the_counter_is_answered_with_a_number_of_its_own_that_the_log_tells(self):
        sim = self.serial("--meters", "1-2", "--values", "counter")
        with Line(self.link) as line:
            got = [struct.unpack(">I", line.ask(read_request(unit, 3, 0, 2), 9)[3:7])[0] for unit in (1, 2, 1, 1, 2)]
        self.assertEqual(got, [10000001, 20000001, 10000002, 10000003, 20000002])
        self.assertEqual([line["counter"] for line in sim.frames("reply")], got)


class Profiles(SimTest):
    def setUp(self):
        super().setUp()
        self.sim = self.serial("--meter", "unit=1,profile=" + SAMPLE, "--log-values")

    def test_registers_decode_to_the_values_that_the_log_tells(self):
        with Line(self.link) as line:
            reply = line.ask(read_request(1, 4, 0, 53), 111)
        self.assertTrue(sound(reply) and len(reply) == 111, reply)
        data = reply[3:-2]
        told = self.sim.frames("reply")[-1]["values"]

        def at(register, form):
            return struct.unpack_from(">" + form, data, 2 * register)[0]

        self.assertAlmostEqual(at(0, "f"), told["voltage_l1"], 4)
        self.assertAlmostEqual((at(3, "H") << 16 | at(2, "H")) / 1000, told["current_l1"], 6)
        self.assertAlmostEqual(at(4, "i") / 10, told["reactive_power"], 6)
        self.assertAlmostEqual(at(6, "Q") / 100, told["active_energy_import"], 6)
        self.assertAlmostEqual(at(12, "h") / 1000, told["power_factor"], 6)
        self.assertAlmostEqual(struct.unpack("<H", data[26:28])[0] / 100, told["frequency"], 6)
        self.assertAlmostEqual(int(data[28:34].hex()) / 100, told["active_energy_export"], 6)
        self.assertAlmostEqual((at(17, "H") * 10**8 + at(18, "H") * 10**4 + at(19, "H")) / 10,
                               told["apparent_energy_import"], 6)
        self.assertAlmostEqual(at(20, "d"), told["apparent_power"], 9)
        self.assertEqual(data[48], told["temperature"])
        self.assertEqual({1: "day", 2: "night"}[data[49]], told["tariff"])
        self.assertEqual(data[58:68].rstrip(b"\0").decode(), told["serial_number"])
        self.assertEqual("%04d-%02d-%02dT%02d:%02d:%02d" % struct.unpack_from(">6H", data, 76), told["meter_time"])
        self.assertAlmostEqual(at(48, "H") * 10 ** (at(49, "H") - 4), told["active_power"], 6)
        self.assertAlmostEqual((at(50, "H") << 16 | at(52, "H")) * 2 - 10, told["phase_sum"], 6)
        self.assertTrue(220 < told["voltage_l1"] < 240 and 49.9 < told["frequency"] < 50.1, told)

    def test_holes_and_long_reads_are_refused_as_the_profile_says(self):
        with Line(self.link) as line:
            self.assertEqual(line.ask(read_request(1, 4, 6, 8), 21)[1], 4)     # 2 registers without a point
            self.assertEqual(line.ask(read_request(1, 4, 50, 9), 5)[1:3], b"\x84\x02")  # 5 of them
            self.assertEqual(line.ask(read_request(1, 4, 58, 2), 5)[1:3], b"\x84\x02")  # beyond the last
            self.assertEqual(line.ask(read_request(1, 4, 0, 61), 5)[1:3], b"\x84\x03")
            self.assertEqual(line.ask(read_request(1, 3, 200, 1), 7)[3:5], struct.pack(">H", 4711))

    def test_what_is_written_shows_where_the_profile_reads_it(self):
        write = struct.pack(">BBHH", 1, 6, 110, 1)
        write += crc(write)
        with Line(self.link) as line:
            self.assertEqual(line.ask(write, 8), write)
            self.assertEqual(line.ask(read_request(1, 3, 100, 1), 7)[3:5], b"\0\1")
            self.assertEqual(line.ask(read_request(1, 2, 5, 1), 6)[3] & 1, 1)
        self.assertEqual(self.sim.stats()["units"]["1"]["writes"], {"holding:110": 1})


class Pacing(SimTest):
    def fastest(self, line, count, silence, enough):
        """Seconds from the request's first byte to the answer's last as the master sees it, of the best of some polls: what other
        processes delay is not the line's."""
        best = 1.0
        for i in range(50):
            time.sleep(silence)
            began = line.send(read_request(1, 3, 0, count))
            reply, ended = line.receive(5 + 2 * count)
            self.assertTrue(sound(reply))
            best = min(best, ended - began)
            if i >= 5 and best <= enough:
                break
        return best

    def test_a_poll_takes_what_its_bytes_take(self):
        for baud, mode, bits, turn, count in ((9600, "8N1", 10, 0, 2), (9600, "8E1", 11, 20, 40), (19200, "8E1", 11, 0, 40)):
            with self.subTest(baud=baud, turn=turn, count=count):
                sim = self.serial("--meters", "1", "--turn", turn, baud=baud, mode=mode)
                byte = bits / baud
                expected = (8 + 5 + 2 * count) * byte + max(3.5 * byte, turn / 1000)
                with Line(self.link, baud) as line:
                    took = self.fastest(line, count, 4.5 * byte, 1.01 * expected)
                self.assertAlmostEqual(took / expected, 1, delta=0.02)
                figures = next(iter(sim.stats()["lines"].values()))
                self.assertEqual(figures["t35_violations"], 0)
                self.assertAlmostEqual(1 / figures["ideal_polls_per_s"], expected + 3.5 * byte, places=5)
                sim.stop()

    def test_a_request_that_comes_too_early_is_counted_and_dropped_unless_lenient(self):
        for arguments, answered in (((), 1), (("--lenient",), 2)):
            sim = self.serial("--meters", "1", *arguments)
            with Line(self.link) as line:
                line.ask(read_request(1, 3, 0, 40), 1)
                line.send(read_request(1, 3, 0, 2))  # while the answer is on the wire: its silence is none
                line.receive(84 + 9, 0.3)
            unit = sim.stats()["units"]["1"]
            self.assertEqual((unit["answers"], unit["t35_violations"]), (answered, 1))
            self.assertEqual([frame["gap_us"] for frame in sim.frames("violation")], [0])
            sim.stop()


class Faults(SimTest):
    def setUp(self):
        super().setUp()
        self.sim = self.serial("--meters", "1-2", baud=19200)
        self.line = self.enterContext(Line(self.link, 19200))

    def ask(self, size=7, timeout=0.06, address=1):
        return self.line.ask(read_request(1, 3, address, 1), size, timeout)

    def test_every_second_answer_is_damaged_or_lost_as_asked(self):
        self.sim.command("drop=2")
        self.assertEqual([len(self.ask()) for _ in range(4)], [7, 0, 7, 0])
        self.sim.command("drop=off")
        self.sim.command("corrupt=2")
        self.assertEqual([sound(self.ask()) for _ in range(4)], [True, False, True, False])
        self.sim.command("corrupt=off")
        self.sim.command("noise=1")
        self.assertEqual(self.ask(8)[:2], b"\0\1")
        self.sim.command("noise=off")
        self.sim.command("foreign=1")
        both = self.ask(14)
        self.assertEqual((both[0], both[7]), (2, 1))
        self.assertTrue(sound(both[:7]) and sound(both[7:]))

    def test_a_late_answer_comes_late_and_the_next_queues_behind_it(self):
        self.sim.command("late=1:120")
        began = time.monotonic()
        self.assertEqual(self.ask(address=1), b"")
        self.sim.command("late=off")
        self.line.send(read_request(1, 3, 2, 1))
        both, ended = self.line.receive(14)
        self.assertEqual((both[4], both[11]), (1, 2))
        self.assertGreater(ended - began, 0.12)
        self.assertEqual([frame["kind"] for frame in self.sim.frames("late", "reply")], ["late", "reply"])

    def test_bytewise_answers_come_byte_by_byte(self):
        self.sim.command("bytewise=10")
        began = time.monotonic()
        self.assertTrue(sound(self.ask(timeout=0.3)))
        self.assertGreater(time.monotonic() - began, 0.07)

    def test_exceptions_silence_and_hold_reach_the_units_they_name(self):
        self.sim.command("exception=1:6:3")
        self.assertEqual(self.ask(5)[1:3], b"\x83\x06")
        self.sim.command("exception=off")
        self.sim.command("silent=2")
        self.assertTrue(sound(self.ask()))
        self.assertEqual(self.line.ask(read_request(2, 3, 0, 1), 7, 0.06), b"")
        self.sim.command("silent=off")
        self.sim.command("hold")
        self.assertEqual(self.ask(), b"")
        self.sim.command("release")
        self.assertTrue(sound(self.ask()))
        self.sim.command("set=1:holding:1:4242")
        self.assertEqual(self.ask()[3:5], struct.pack(">H", 4242))
        with self.assertRaises(ValueError):
            self.sim.command("exeption=1:6")

    def test_unplugging_hangs_the_master_up_and_plugging_brings_the_link_back(self):
        self.sim.command("unplug")
        self.assertFalse(os.path.lexists(self.link))
        with self.assertRaises(OSError):
            os.write(self.line.fd, b"x")
        self.sim.command("plug")
        with Line(self.link, 19200) as line:
            self.assertTrue(sound(line.ask(read_request(1, 3, 0, 1), 7)))


class Reopening(SimTest):
    def test_a_master_with_parity_that_dies_leaves_the_line_usable(self):
        sim = self.serial("--meters", "1", baud=19200)
        for _ in range(3):
            before = sim.stats()["units"].get("1", {"answers": 0})["answers"]
            master = subprocess.Popen(["mbpoll", "-m", "rtu", "-b", "19200", "-P", "even", "-l", "100", self.link],
                                      stdout=subprocess.DEVNULL)
            time.sleep(0.3)
            master.kill()  # it gives the settings back to nobody
            master.wait(5)
            self.assertGreaterEqual(sim.stats()["units"]["1"]["answers"] - before, 2)

    def test_the_next_master_keeps_the_speed_that_it_sets_while_the_one_before_hangs_up(self):
        sim = self.serial("--meters", "1", baud=19200)
        for nth in range(1000):
            with Line(self.link, 19200) as line:
                sim.command("stats")  # it has seen the hang-up of the round before
                self.assertEqual(termios.tcgetattr(line.fd)[4], termios.B19200)
            if nth % 2:
                time.sleep(nth % 7 * 0.0002)  # the next master comes before, while and after it does

    def test_an_exclusive_master_that_dies_leaves_the_line_usable_for_everyone(self):
        sim = self.serial("--meters", "1", baud=19200)
        for _ in range(2):
            with Line(self.link, 19200) as line:
                fcntl.ioctl(line.fd, termios.TIOCEXCL)
                self.assertTrue(sound(line.ask(read_request(1, 3, 0, 1), 7)))
            sim.command("stats")
            time.sleep(0.05)


class TcpFaults(SimTest):
    def test_a_damaged_answer_carries_another_transaction_and_an_unplugged_port_refuses(self):
        sim = self.start("--tcp", "0", "--meters", "1", "--fault", "corrupt=2")
        request = struct.pack(">HHHBBHH", 77, 0, 6, 1, 3, 5, 1)
        with socket.create_connection(("127.0.0.1", sim.ports()[0]), 1) as connection:
            got = []
            for _ in range(2):
                connection.sendall(request)
                got.append(connection.recv(100))
            self.assertEqual(got[0], struct.pack(">HHHBBBH", 77, 0, 5, 1, 3, 2, 5))
            self.assertNotEqual(got[1][:2], request[:2])
            self.assertEqual(got[1][2:], got[0][2:])
            sim.command("unplug")
            self.assertEqual(connection.recv(100), b"")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", sim.ports()[0]), 1)
        sim.command("plug")
        socket.create_connection(("127.0.0.1", sim.ports()[0]), 1).close()

    def test_with_late_drop_a_newer_request_replaces_the_late_answer(self):
        sim = self.start("--rtu-tcp", "0", "--meters", "1", "--late-drop", "--fault", "late=1:100")
        with socket.create_connection(("127.0.0.1", sim.ports("rtu-tcp")[0]), 1) as connection:
            connection.sendall(read_request(1, 3, 1, 1))
            time.sleep(0.03)
            connection.sendall(read_request(1, 3, 2, 1))
            self.assertEqual(connection.recv(100)[3:5], b"\0\2")
        self.assertEqual([frame["why"] for frame in sim.frames("dropped")], ["superseded"])


class Program(SimTest):
    @staticmethod
    def ticks(sim):
        with open("/proc/%d/stat" % sim.process.pid) as stat:
            return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))

    def test_it_idles_without_work_and_cleans_up_when_told_to_end(self):
        sim = self.serial("--meters", "1")
        with Line(self.link) as line:
            line.ask(read_request(1, 3, 0, 1), 7)
        before = self.ticks(sim)
        time.sleep(0.4)
        self.assertLessEqual(self.ticks(sim) - before, 1)
        sim.stop()
        self.assertEqual(sim.process.returncode, 0)
        self.assertFalse(os.path.lexists(self.link) or os.path.lexists(sim.control_path))
        with open(sim.stats_path) as stats:
            self.assertEqual(json.load(stats)["units"]["1"]["answers"], 1)

    def test_wrong_flags_are_refused_by_name(self):
        for arguments, text in ((["--pty", self.link, "--meters", "1"], "--baud"), (["--tcp", "0"], "--meter"),
                                (["--nonsense"], "--nonsense"), (["--tcp", "0", "--meter", "unit=1,profile=/none.ini"], "/none.ini")):
            done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=5)
            self.assertEqual(done.returncode, 64)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
