"""DL/T 645 meters on one line with Modbus ones: found, read, commanded."""
import json
import re
import subprocess
import time
import unittest

from case import GatewayTest
from lab import AGENT, ROOT, wait_for

MODELS = ROOT / "drivers" / "profile" / "models"


def in_future(seconds=60):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


class Dlt645(GatewayTest):
    def mixed_line(self, *more, wall="password=123456"):
        self.line = self.lab.folder / "mixed"
        return self.lab.sim("--pty", self.line, "--baud", 9600, "--mode", "8E1", "--log-values",
                            "--meter", f"unit=3,profile={MODELS}/sdm120.ini",
                            "--meter", f"address=161,profile={MODELS}/dlt645_1p.ini,turn=25ms,fe=0,{wall}",
                            "--meter", f"address=200000000262,profile={MODELS}/dlt645_3p.ini,turn=40ms,parts=8,bit5=yes", *more)

    def begin(self, *more, **kwargs):
        self.broker = self.lab.broker()
        self.sim = self.mixed_line(**kwargs)
        self.backend = self.lab.backend(self.broker.port)
        password = self.lab.folder / "password"
        password.write_text("2 123456 00000001\n")
        password.chmod(0o600)
        self.agent = self.lab.agent(
            "--gateway-id", "gw", "--bus", f"name=b,device={self.line},baud=9600,mode=8E1",
            "--meter", "id=modbus,bus=b,unit=3,profile=sdm120,every=1s",
            "--meter", f"id=hall,bus=b,address=161,profile=dlt645_1p,every=1s,writable=yes,password-file={password},utc-offset=+00:00",
            "--meter", "id=roof,bus=b,address=200000000262,profile=dlt645_3p,ct=1/1,pt=1/1,every=2s",
            "--upstream", f"mqtt://127.0.0.1:{self.broker.port}", "--store", self.lab.folder / "metergate.db",
            "--commit-every", "100ms", "--trust-clock", *more)
        wait_for("the agent online", 10, lambda: any(s["state"] == "online" for s in self.backend.status))

    def command(self, ident, **fields):
        self.backend.send({"id": ident, "expires_at": in_future(), **fields})
        return self.backend.result(ident)

    def test_reads_both_families_on_one_line(self):
        self.begin()
        wait_for("readings of all", 30, lambda: {r["meter"] for r in self.backend.all("readings") if r["quality"] == "good"} ==
                 {"modbus", "hall", "roof"})
        time.sleep(5)
        truth = {}
        for frame in self.sim.frames():
            for name, value in frame.get("values", {}).items():
                truth.setdefault(frame["unit"], {}).setdefault(name, set()).add(str(value))
        units = {"hall": 1000, "roof": 1001}
        checked = 0
        for reading in self.backend.all("readings"):
            self.assertEqual(reading["quality"], "good", reading)
            for name, value in reading["values"].items():
                known = truth.get(units.get(reading["meter"]), {}).get(name)
                if known is None or name in ("relay", "supply"):
                    continue
                self.assertIn(str(value), known, (reading["meter"], name))
                checked += 1
        self.assertGreater(checked, 100)
        self.assertEqual(self.backend.gaps(), {})
        catalog = self.command("k", op="catalog")["content"]
        places = {m["id"]: m.get("address", m.get("unit")) for m in catalog["meters"]}
        self.assertEqual(places, {"modbus": 3, "hall": "000000000161", "roof": "200000000262"})

    def test_reads_items_by_route(self):
        self.begin()
        result = self.command("r", op="read", route={"bus": "b", "address": "161"}, items=["04000402", "02FFFFFF"])
        self.assertEqual(result["status"], "done", result)
        self.assertEqual(result["items"], {"04000402": "610100000000"})
        self.assertEqual(result["errors"]["02FFFFFF"]["code"], "no_data")
        self.assertEqual(result["route"], {"bus": "b", "address": "000000000161"})

    def test_switches_the_relay_and_reads_it_back(self):
        self.begin()
        result = self.command("trip", op="write", meter="hall", point="relay", value="trip")
        self.assertEqual((result["status"], result.get("values")), ("done", {"relay": "open"}), result)
        result = self.command("close", op="write", meter="hall", point="relay", value="close")
        self.assertEqual((result["status"], result.get("values")), ("done", {"relay": "closed"}), result)
        orders = [f for f in self.sim.frames() if f["kind"] == "reply" and f["function"] == 0x1C]
        self.assertEqual([f["values"]["order"] for f in orders], [0x1A, 0x1C])
        self.assertNotIn("123456", self.agent.log())

    def test_sets_the_clock(self):
        self.begin(wall="skew=45")
        result = self.command("clock", op="write", meter="hall", point="meter_clock", value="now")
        midnight = time.gmtime().tm_hour * 60 + time.gmtime().tm_min
        if 10 < midnight < 1429:
            self.assertEqual(result["status"], "done", result)
            self.assertEqual(self.command("again", op="write", meter="hall", point="meter_clock", value="now")["error"]["code"],
                             "refused")

    def test_locks_a_wrong_password_away(self):
        self.begin(wall="password=654321")
        for ident in ("one", "two"):
            result = self.command(ident, op="write", meter="hall", point="relay", value="trip")
            self.assertEqual((result["status"], result["error"]["code"]), ("failed", "not_authorised"), result)
        self.assertEqual(len([f for f in self.sim.frames() if f["kind"] == "request" and f["function"] == 0x1C]), 1)
        wait_for("the event", 5, lambda: self.backend.events("password_refused"))

    def test_scan_finds_what_it_prints_flags_for(self):
        self.mixed_line()
        done = subprocess.run([AGENT, "scan", "--bus", f"name=line,device={self.line}", "--units", "3-4", "--bauds", "9600",
                               "--modes", "8E1"], capture_output=True, text=True, timeout=280)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("several meters answer at once", done.stderr)
        meters = re.findall(r"^  --meter (\S+)$", done.stdout, re.M)
        self.assertEqual(sorted(re.findall(r"address=(\d+),profile=(\w+)", " ".join(meters))),
                         [("000000000161", "dlt645_1p"), ("200000000262", "dlt645_3p")], done.stdout + done.stderr)
        bus = re.findall(r"^  --bus (\S+)$", done.stdout, re.M)[-1]
        read = subprocess.run([AGENT, "read", "--bus", bus, "--meter", meters[-1],
                               re.search(r"id=([^,]+)", meters[-1])[1], "--json"], capture_output=True, text=True, timeout=60)
        self.assertEqual(json.loads(read.stdout)["quality"], "good", read.stderr)


if __name__ == "__main__":
    unittest.main()
