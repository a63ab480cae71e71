"""Configurations from afar: tried, confirmed, or taken back by themselves, whatever ends the process in between."""
import json
import os
import random
import signal
import subprocess
import time
import unittest

from case import GatewayTest
from lab import AGENT, wait_for

EMULATED = AGENT.read_bytes()[:2] == b"#!"
KILLS = int(os.environ.get("METERGATE_KILLS", "12"))


@unittest.skipIf(EMULATED, "an emulator cannot start its program again")
class Remote(GatewayTest):
    def begin(self, *more, units=(1, 2)):
        self.broker = self.lab.broker()
        self.serial_sim(units="1-9")
        self.backend = self.lab.backend(self.broker.port)
        self.dir = self.lab.folder / "remote"
        self.agent = self.lab.agent(*self.flags(self.broker, "--remote", self.dir, *more, units=units))
        self.config = wait_for("the configuration in status", 20, self.status_config)

    def status_config(self):
        with self.backend.lock:
            online = [s for s in self.backend.status if s["state"] == "online"]
        return online[-1]["config"] if online else None

    def meters(self, *units):
        return "".join(f"meter = id=m{u},bus=rs485-1,unit={u},profile=count,every=250ms,points=count\n" for u in units)

    def configure(self, ident, text, within="60s", base=None, files=None):
        self.backend.send({"id": ident, "op": "configure", "base": base or self.config, "text": text,
                           "files": files or {}, "confirm_within": within})

    def on_trial(self, config):
        """The C of what is on trial, once its process is online."""
        return wait_for("another configuration online", 30, lambda: (c := self.status_config()) != config and c)

    def confirm(self, ident, config):
        self.backend.send({"id": ident, "op": "confirm", "config": config})
        return self.backend.result(ident, 20)

    def read_by(self, meter, seconds=20):
        seen = len([r for r in self.backend.all("readings") if r["meter"] == meter])
        wait_for(f"readings of {meter}", seconds, lambda: len([r for r in self.backend.all("readings") if r["meter"] == meter]) > seen)

    def test_a_confirmed_configuration_stays_over_restarts(self):
        self.begin()
        self.configure("c-1", self.meters(2, 3))
        new = self.on_trial(self.config)
        trial = wait_for("the event", 10, lambda: self.backend.events("config_trial"))[0]["detail"]
        self.assertEqual((trial["from"], trial["to"]), (self.config, new))
        self.assertEqual(self.backend.results["c-1"], [])
        self.assertEqual(self.confirm("k-1", new)["status"], "done")
        result = self.backend.result("c-1")
        self.assertEqual((result["status"], result["config"]), ("done", new))
        self.read_by("m3")
        wait_for("the event", 10, lambda: len(self.backend.events("config_confirmed")) == 1)
        pid = self.agent.child.pid
        self.agent.kill(signal.SIGTERM)
        self.agent.start()
        self.assertNotEqual(self.agent.child.pid, pid)
        self.read_by("m3")
        self.assertEqual({e["detail"]["config"] for e in self.backend.events("started")}, {self.config, new})
        self.backend.send({"id": "q", "op": "configuration"})
        answer = self.backend.result("q")
        self.assertEqual((answer["config"], answer["source"], answer["text"]), (new, "remote", self.meters(2, 3)))
        self.assertEqual(self.backend.gaps(), {})

    def test_what_nobody_confirms_is_taken_back_without_a_loss(self):
        self.begin()
        began = time.monotonic()
        self.configure("c-1", self.meters(2, 3), within="10s")
        self.on_trial(self.config)
        result = self.backend.result("c-1", 40)
        self.assertLess(time.monotonic() - began, 10 + 10 + 5)
        self.assertEqual((result["status"], result["error"]["code"]), ("failed", "not_confirmed"))
        returned = wait_for("the event", 10, lambda: self.backend.events("config_returned"))[0]["detail"]
        self.assertEqual((returned["to"], returned["why"]), (self.config, "not_confirmed"))
        self.read_by("m1")
        wait_for("the old one in status", 10, lambda: self.status_config() == self.config)
        wait_for("no gap", 10, lambda: self.backend.gaps() == {})

    def test_one_that_finds_no_broker_is_taken_back(self):
        self.begin("--remote-allow", "all")
        self.configure("c-1", "upstream = mqtt://127.0.0.1:1\n", within="10s")
        result = self.backend.result("c-1", 60)
        self.assertEqual((result["status"], result["error"]["code"]), ("failed", "not_confirmed"))
        self.read_by("m1")

    def test_a_wrong_one_changes_nothing_and_names_the_place(self):
        self.begin()
        self.configure("c-1", "batch = 7\nmeter = id=m9,bus=rs485-1,unit=9,profile=cuont\n")
        result = self.backend.result("c-1", 30)
        self.assertEqual((result["status"], result["error"]["code"]), ("rejected", "bad_config"))
        self.assertEqual([(p["file"], p["line"], p["text"]) for p in result["problems"]], [("text", 2, "cuont")])
        self.configure("c-2", "upstream = mqtt://127.0.0.1:1\n")
        self.assertEqual(self.backend.result("c-2", 30)["error"]["code"], "not_allowed")
        self.configure("c-3", "batch = 7\n", base="00000000")
        self.assertEqual(self.backend.result("c-3", 30)["error"]["code"], "config_changed")
        self.assertEqual(len(self.backend.events("started")), 1)

    def test_one_that_cannot_start_is_taken_back_and_never_ends_the_process_for_good(self):
        self.begin()
        self.configure("c-1", self.meters(3), within="60s")
        new = self.on_trial(self.config)
        self.agent.kill(signal.SIGKILL)
        # As after a power cut in the middle of its start: the folder of the new one is not what it was.
        state = json.loads((self.dir / "state").read_text())
        self.assertEqual(state["trial"]["to"], new)
        (self.dir / state["trial"]["version"] / "text").write_text("meter = nonsense\n")
        self.agent.start()
        result = self.backend.result("c-1", 30)
        self.assertEqual((result["status"], result["error"]["code"]), ("failed", "cannot_start"))
        self.read_by("m1")
        # A confirmed one that is damaged later: the local one is used.
        self.config = wait_for("the old one", 10, lambda: (c := self.status_config()) == self.config and c)
        self.configure("c-2", self.meters(3))
        self.confirm("k-2", self.on_trial(self.config))
        self.agent.kill(signal.SIGTERM)
        state = json.loads((self.dir / "state").read_text())
        (self.dir / state["confirmed"] / "text").write_text("meter = nonsense\n")
        self.agent.start()
        self.read_by("m1")

    def test_shows_log_and_frames_and_nothing_without_the_flag(self):
        self.begin()
        self.backend.send({"id": "l", "op": "log", "lines": 50})
        lines = self.backend.result("l")["lines"]
        self.assertTrue(any("started" in line for line in lines), lines)
        wait_for("readings", 20, lambda: len(self.backend.all("readings")) > 5)
        self.backend.send({"id": "t", "op": "trace", "bus": "rs485-1"})
        frames = self.backend.result("t")["frames"]
        self.assertEqual({f["verdict"] for f in frames}, {"request", "answer"})
        self.backend.send({"id": "t2", "op": "trace", "bus": "nowhere"})
        self.assertEqual(self.backend.result("t2")["error"]["code"], "no_such_bus")
        self.agent.kill(signal.SIGTERM)
        self.agent.argv = [a for a in self.agent.argv if a not in ("--remote", str(self.dir))]
        self.agent.start()
        for op in ("configuration", "log", "trace", "confirm", "configure"):
            self.backend.send({"id": f"no-{op}", "op": op, "bus": "rs485-1", "config": self.config, "base": self.config, "text": ""})
            self.assertEqual(self.backend.result(f"no-{op}", 20)["error"]["code"], "not_allowed")

    def test_takes_only_what_its_key_signed(self):
        key, public = self.lab.folder / "key.pem", self.lab.folder / "public.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
        self.begin("--remote-key", public)
        self.configure("c-1", "batch = 7\n")
        self.assertEqual(self.backend.result("c-1")["error"]["code"], "bad_signature")

        def sign(ident, gateway="gw"):
            after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
            text = json.dumps({"id": ident, "op": "configure", "base": self.config, "text": "batch = 7\n", "confirm_within": "60s",
                               "gateway": gateway, "not_after": after})
            return subprocess.run([AGENT, "sign", key], input=text, capture_output=True, text=True, check=True).stdout

        self.backend.send(sign("c-2", gateway="other"))
        self.assertEqual(self.backend.result("c-2")["error"]["code"], "bad_signature")
        replayed = json.loads(sign("c-3"))
        self.backend.send({**replayed, "id": "c-4"})
        self.assertEqual(self.backend.result("c-4")["error"]["code"], "bad_command")
        self.backend.send(replayed)
        self.confirm("k-3", self.on_trial(self.config))
        self.assertEqual(self.backend.result("c-3")["status"], "done")

    def test_random_kills_leave_a_known_configuration_and_one_result_a_command(self):
        """METERGATE_KILLS says how many."""
        self.begin()
        draw = random.Random(7)
        known = {self.config}
        kills = turn = 0
        while kills < KILLS:
            turn += 1
            self.config = wait_for("a configuration", 30, self.status_config)
            ident = f"c-{turn}"
            self.configure(ident, self.meters(*range(1, 2 + turn % 4)) + f"batch = {10 + turn % 7}\n", within="10s")
            for _ in range(draw.randint(0, 2)):
                time.sleep(draw.random() * 1.5)
                self.agent.kill(signal.SIGKILL)
                kills += 1
                time.sleep(draw.random() * 0.2)
                self.agent.start()
            known |= {e["detail"][side] for e in self.backend.events("config_trial") for side in ("from", "to")}
            end = time.monotonic() + 60
            count = 0
            while not self.backend.results.get(ident) and time.monotonic() < end:
                now = self.status_config()
                if now != self.config and turn % 3:
                    count += 1
                    self.backend.send({"id": f"k-{turn}-{count}", "op": "confirm", "config": now})
                if not self.agent.running():
                    self.assertNotIn(self.agent.child.returncode, (64, 78), self.agent.log()[-2000:])
                    self.agent.start()
                time.sleep(0.3)
            status = self.backend.result(ident, 1)["status"]
            self.assertIn(status, ("done", "failed", "rejected"))
        self.agent.kill(signal.SIGTERM)
        self.agent.start()
        self.read_by("m1", 30)
        wait_for("no gap", 20, lambda: self.backend.gaps() == {})
        for ident, results in self.backend.results.items():
            self.assertEqual(len({r[0] for r in results}), 1, f"{ident} has one result")
        known |= {e["detail"][side] for e in self.backend.events("config_trial") for side in ("from", "to")}
        self.assertLessEqual({e["detail"]["config"] for e in self.backend.events("started")}, known)


if __name__ == "__main__":
    unittest.main()
