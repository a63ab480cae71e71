"""The whole agent against a meter that is neither ours nor read with our code, by a profile written from its documentation."""
import json
import pathlib
import time
import unittest

from case import GatewayTest
from foreign_meter import PROFILE, SERVED
from lab import Process, free_port, wait_for

METER = pathlib.Path(__file__).with_name("pymodbus_meter.py")


class Foreign(GatewayTest):
    def serve(self, *argv, name="meter", env=None):
        return self.lab.add(Process(self.lab, name, argv, env=env)).start()

    def begin(self, bus):
        (self.lab.folder / "profiles" / "fm1.ini").write_text(PROFILE)
        self.broker = self.lab.broker()
        self.backend = self.lab.backend(self.broker.port)
        self.agent = self.lab.agent(
            "--gateway-id", "gw", "--bus", f"name=b,{bus}", "--meter", "id=m,bus=b,unit=9,profile=fm1,every=500ms,writable=yes",
            "--profile-dir", self.lab.folder / "profiles", "--upstream", f"mqtt://127.0.0.1:{self.broker.port}", "--trust-clock",
            "--store", self.lab.folder / "metergate.db", "--commit-every", "200ms")

    def values(self, after=0):
        """The newest good reading's, each number as it stood in the message."""
        with self.backend.lock:
            records = [json.loads(text, parse_int=str, parse_float=str) for text in self.backend.records.values()]
        good = [r for r in records if r.get("quality") == "good" and int(r["seq"]) > after]
        return good[-1]["values"] if good else None

    def write(self, point, value):
        self.backend.send({"id": point, "op": "write", "meter": "m", "point": point, "value": value,
                           "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))})
        self.assertEqual(self.backend.result(point)["status"], "done")

    def expect_the_meter(self):
        self.assertEqual(wait_for("a good reading", 20, self.values), SERVED)
        self.write("interval", 30)
        self.write("relay", "closed")
        wait_for("what was written", 5, lambda: self.values()["interval"] == "30" and self.values()["relay"] == "closed")

    def test_reads_and_writes_a_meter_of_pymodbus_by_tcp(self):
        port = free_port()
        self.serve("/usr/bin/python3", METER, "tcp", port)
        self.begin(f"tcp=127.0.0.1:{port}")
        self.expect_the_meter()

    def test_reads_and_writes_a_meter_of_pymodbus_on_a_serial_line(self):
        ours, its = self.lab.folder / "ours", self.lab.folder / "its"
        self.serve("socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={its}", name="line")
        wait_for("the line", 5, its.exists)
        self.serve("/usr/bin/python3", METER, "rtu", its)
        self.begin(f"device={ours},baud=19200,mode=8N1")
        self.expect_the_meter()


if __name__ == "__main__":
    unittest.main(verbosity=2)
