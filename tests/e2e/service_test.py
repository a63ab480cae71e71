"""Manners of a service: it ends in time, says that it lives, trusts no clock that lies, and prints no secret."""
import os
import signal
import socket
import subprocess
import time
import unittest

from case import GatewayTest
from lab import AGENT, free_port, wait_for


class Service(GatewayTest):
    def manager(self):
        """What a service manager hears, by NOTIFY_SOCKET."""
        path = self.lab.folder / "notify"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(str(path))
        listener.settimeout(0.1)
        self.addCleanup(listener.close)
        heard = []

        def drain():
            try:
                while True:
                    heard.append((time.monotonic(), listener.recv(4096).decode()))
            except socket.timeout:
                return heard

        return path, drain

    def test_ends_within_5_seconds_with_everything_durable(self):
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker, "--commit-every", "30s"))
        time.sleep(2)
        begin = time.monotonic()
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - begin, 5)
        agent.start()
        wait_for("readings of before", 10, lambda: len(backend.all("readings")) > 15)
        self.assertEqual(backend.gaps(), {})

    def test_polls_and_ends_in_time_while_a_name_lookup_hangs(self):
        sim = self.serial_sim()
        self.fault("hang-getaddrinfo")
        agent = self.lab.agent(*self.flags("mqtt://broker.example:1883"), env=self.faulty())
        wait_for("the lookup", 5, lambda: self.noted("looked-up"))
        time.sleep(1)
        before = len(sim.frames())
        time.sleep(1)
        self.assertGreater(len(sim.frames()) - before, 10, "polling stood still")
        begin = time.monotonic()
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertLess(time.monotonic() - begin, 5)

    def test_tells_the_manager_that_it_is_ready_alive_and_stopping(self):
        path, drain = self.manager()
        self.serial_sim()
        agent = self.lab.agent(*self.flags("mqtt://127.0.0.1:1"), env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"})
        wait_for("READY", 5, lambda: any("READY=1" in text for _, text in drain()))
        wait_for("the watchdog's food", 5, lambda: sum("WATCHDOG=1" in text for _, text in drain()) >= 3)
        agent.kill(signal.SIGTERM)
        self.assertTrue(any("STOPPING=1" in text for _, text in drain()))

    def test_asks_the_manager_for_time_while_it_salvages_its_store(self):
        sim = self.serial_sim()
        agent = self.lab.agent(*self.flags("mqtt://127.0.0.1:1"))
        wait_for("polls", 10, lambda: len(sim.frames()) > 10)
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        with open(self.lab.folder / "metergate.db", "r+b") as store:
            store.write(os.urandom(4096))
        path, drain = self.manager()
        agent.env["NOTIFY_SOCKET"] = str(path)
        agent.start()
        wait_for("READY", 10, lambda: any("READY=1" in text for _, text in drain()))
        words = [text for _, text in drain()]
        self.assertRegex(words[0], "^EXTEND_TIMEOUT_USEC=[0-9]+$")
        self.assertEqual(sum("EXTEND" in word for word in words), 1, "told at most every 10 s")

    def test_starves_the_watchdog_while_a_bus_thread_is_stuck(self):
        path, drain = self.manager()
        self.serial_sim()
        env = {**self.faulty(), "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "1000000"}
        agent = self.lab.agent(*self.flags("mqtt://127.0.0.1:1", bus_more=",timeout=100ms"), env=env)
        wait_for("the watchdog's food", 5, lambda: sum("WATCHDOG=1" in text for _, text in drain()) >= 2)
        self.fault("hang-bus")
        time.sleep(11)  # what a step on this bus may take at most, and a little
        fed = sum("WATCHDOG=1" in text for _, text in drain())
        time.sleep(3)
        self.assertEqual(sum("WATCHDOG=1" in text for _, text in drain()), fed)
        self.assertTrue(agent.running())

    def flag_file(self, *flags, **more):
        """The flags as a file: rewritten, they are what SIGHUP finds."""
        words = [str(f) for f in flags]
        lines, at = [], 0
        while at < len(words):
            switch = at + 1 == len(words) or words[at + 1].startswith("--")
            lines.append(f"{words[at][2:]} = {'yes' if switch else words[at + 1]}")
            at += 1 if switch else 2
        path = self.lab.folder / "flags"
        path.write_text("\n".join(lines + [f"{name} = {value}" for name, value in more.items()]) + "\n")
        return f"@{path}"

    @unittest.skipIf(AGENT.read_bytes()[:2] == b"#!", "an emulator cannot start its program again")
    def test_takes_its_new_flags_at_sighup_under_the_same_pid_without_a_loss(self):
        path, drain = self.manager()
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        flags = self.flag_file(*self.flags(broker, units=(1, 2)))
        agent = self.lab.agent(flags, env={"NOTIFY_SOCKET": str(path)})
        wait_for("readings", 20, lambda: len(backend.all("readings")) > 10)
        pid = agent.child.pid
        self.flag_file(*self.flags(broker, units=(2, 3)))
        agent.child.send_signal(signal.SIGHUP)
        wait_for("the new meter's readings", 20, lambda: any(r["meter"] == "m3" for r in backend.all("readings")))
        self.assertTrue(agent.running())
        self.assertEqual(agent.child.pid, pid)
        first, second = sorted(backend.events("started"), key=lambda e: e["at"])
        epoch = first["id"].split("/")[1]
        self.assertEqual(second["detail"]["previous"]["epoch"], epoch)
        last = second["detail"]["previous"]["last"]["readings"]
        wait_for("the last reading of before", 10,
                 lambda: max(r["seq"] for r in backend.all("readings") if epoch in r["id"]) == last)
        self.assertEqual(backend.gaps(), {})
        words = [text.split("\n")[0] for _, text in drain()]
        self.assertEqual([w for w in words if "WATCHDOG" not in w], ["READY=1", "RELOADING=1", "READY=1"])
        self.assertEqual(agent.kill(signal.SIGTERM), 0)

    def test_changes_nothing_at_sighup_when_the_new_flags_are_wrong(self):
        path, drain = self.manager()
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        flags = self.flag_file(*self.flags(broker))
        agent = self.lab.agent(flags, env={"NOTIFY_SOCKET": str(path)})
        wait_for("readings", 20, lambda: len(backend.all("readings")) > 10)
        wrong = {"pol": "meter=m1,every=1m", "gateway-id": "other", "password-file": "/nowhere/password"}
        for count, (name, value) in enumerate(wrong.items(), 1):
            self.flag_file(*self.flags(broker, "--username", "u"), **{name: value})
            agent.child.send_signal(signal.SIGHUP)
            wait_for(f"the refusal of {name}", 20, lambda: agent.log().count("the new configuration is refused") == count)
            line = [l for l in agent.log().splitlines() if "is refused" in l][-1]
            self.assertIn(name, line)
        refused = wait_for("the event", 10, lambda: backend.events("config_refused"))
        self.assertIn("unknown option 'pol' (did you mean 'poll'?)", refused[0]["detail"]["why"])
        seen = len(backend.all("readings"))
        wait_for("more readings", 10, lambda: len(backend.all("readings")) > seen + 10)
        self.assertEqual(len(backend.events("started")), 1)
        self.assertTrue(agent.running())
        words = [text.split("\n")[0] for _, text in drain()]
        self.assertEqual([w for w in words if "WATCHDOG" not in w], ["READY=1"] + ["RELOADING=1", "READY=1"] * 3)

    @unittest.skipIf(AGENT.read_bytes()[:2] == b"#!", "an emulator cannot start its program again")
    def test_ends_open_commands_of_a_meter_that_is_gone_at_sighup(self):
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        self.fault("clock", "0 0")
        untrusted = [f for f in self.flags(broker) if f != "--trust-clock"]
        agent = self.lab.agent(self.flag_file(*untrusted), env=self.faulty())
        wait_for("the agent online", 20, lambda: any(s["state"] == "online" for s in backend.status))
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
        backend.send({"id": "w", "op": "write", "meter": "m3", "point": "limit", "value": 7, "expires_at": expires})
        backend.send({"id": "r", "op": "read", "meter": "m1"})
        backend.result("r")
        self.assertEqual(backend.results["w"], [], "it waits for a clock")
        self.flag_file(*[f for f in self.flags(broker, units=(1, 2)) if f != "--trust-clock"])
        agent.child.send_signal(signal.SIGHUP)
        result = backend.result("w", 20)
        self.assertEqual((result["status"], result["error"]["code"]), ("rejected", "no_such_meter"))

    def test_outlives_signals_that_mean_nothing_to_it(self):
        self.serial_sim()
        agent = self.lab.agent(*self.flags("mqtt://127.0.0.1:1"))
        wait_for("the start", 10, lambda: " started " in agent.log())
        for each in (signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE):
            agent.child.send_signal(each)
        time.sleep(1)
        self.assertTrue(agent.running())
        self.assertEqual(agent.kill(signal.SIGTERM), 0)

    def test_refuses_a_second_process_on_its_store(self):
        broker = self.lab.broker()
        self.serial_sim()
        agent = self.lab.agent(*self.flags(broker))
        time.sleep(0.7)
        second = self.lab.agent(*self.flags(broker), name="second")
        self.assertEqual(second.wait(5), 75)
        self.assertIn("metergate.db", second.log())
        self.assertTrue(agent.running())

    def test_tells_once_that_the_store_of_its_last_run_is_gone(self):
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker))
        wait_for("the first run", 10, lambda: backend.events("started"))
        epoch = agent.ask()["epoch"]
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        for path in self.lab.folder.glob("metergate.db*"):
            if not path.name.endswith(".lock"):
                path.unlink()
        for runs in (2, 3):
            agent.start()
            wait_for("the next run", 10, lambda: len(backend.events("started")) == runs)
            wait_for("the event", 10, lambda: backend.events("store_gone"))
            self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertEqual([e["detail"] for e in backend.events("store_gone")], [{"epoch": epoch}])
        self.assertEqual([e["detail"]["store"] for e in backend.events("started")], ["new", "new", "kept"])

    def test_forgets_and_purges_nothing_when_the_clock_is_set_from_1970(self):
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        self.fault("clock", f"{-int(time.time() * 1000)} 0")
        flags = [f for f in self.flags(broker, "--keep-sent", "1h") if f != "--trust-clock"]
        agent = self.lab.agent(*flags, env=self.faulty())
        wait_for("the agent online", 10, lambda: any(s["state"] == "online" for s in backend.status))
        backend.send({"id": "c", "op": "read", "meter": "m1", "expires_at": "2026-01-01T00:00:00Z"})
        first = backend.result("c")
        self.assertEqual((first["status"], first["clock"], first["at"][:4]), ("done", "unsynced", "1970"))
        wait_for("readings of 1970", 5, lambda: len(backend.all("readings")) > 10)
        self.fault("clock", "0 1")
        wait_for("the step's event", 5, lambda: backend.events("clock_stepped"))
        wait_for("readings of now", 5, lambda: any(r["clock"] == "synced" for r in backend.all("readings")))
        backend.send({"id": "c", "op": "read", "meter": "m1"})
        wait_for("the old result", 5, lambda: len(backend.results["c"]) == 2)
        self.assertEqual(len({ident for ident, _ in backend.results["c"]}), 1)
        self.assertEqual({r["clock"] for r in backend.all("readings")}, {"synced", "unsynced"})
        last = backend.events("clock_stepped")[0]["detail"]["last"]
        for lane in ("readings", "results"):
            self.assertEqual([r["seq"] for r in backend.all(lane) if (r["at"][:4] == "1970") != (r["seq"] <= last[lane])], [], lane)
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertEqual(backend.gaps(), {})

    def test_ends_with_the_exit_status_that_names_the_cause(self):
        folder = self.lab.folder

        def status(*words):
            return subprocess.run([AGENT, *map(str, words)], capture_output=True, timeout=60).returncode

        flags = [*self.flags("stdout:"), "--control", folder / "c"]
        self.assertEqual(status("check", *flags), 0)
        self.assertEqual(status("run", *flags, "--nonsense"), 64)
        self.assertEqual(status("run", *flags, "--batch", "0"), 64)
        (folder / "wrong").write_text("batch = 0\n")
        self.assertEqual(status("run", *flags, f"@{folder / 'wrong'}"), 78)
        (folder / "profiles" / "wrong.ini").write_text("[profile]\nformat = 2\n")
        self.assertEqual(status("run", *flags), 78)
        (folder / "profiles" / "wrong.ini").unlink()
        self.assertEqual(status("run", *flags, "--store", folder / "none" / "m.db"), 73)
        (folder / "is-a-folder").mkdir()
        self.assertEqual(status("run", *flags, "--store", folder / "is-a-folder"), 74)
        self.serial_sim()
        agent = self.lab.agent(*self.flags("mqtt://127.0.0.1:1"))
        wait_for("the start", 10, lambda: " started " in agent.log())
        self.assertEqual(status("run", *self.flags("mqtt://127.0.0.1:1"), "--control", folder / "c"), 75)
        self.assertEqual(agent.kill(signal.SIGTERM), 0)
        self.assertEqual(status("run", *self.flags("mqtt://127.0.0.1:1")[2:], "--gateway-id", "other"), 78)
        self.assertEqual(status("read", "--bus", f"name=t,tcp=127.0.0.1:{free_port()}", "--unit", "1", "--table", "holding",
                                "--address", "0", "--count", "1", "--control", folder / "c"), 69)

    def test_warns_once_that_writes_wait_while_the_clock_is_not_synchronised(self):
        self.serial_sim()
        untrusted = [f for f in self.flags("mqtt://127.0.0.1:1") if f != "--trust-clock"]
        self.fault("clock", "0 0")
        check = subprocess.run([AGENT, "check", *map(str, untrusted)], capture_output=True, text=True, env={**os.environ, **self.faulty()})
        self.assertEqual(check.stderr.count("writes wait up to 5 min"), 1, check.stderr)
        agent = self.lab.agent(*untrusted, env=self.faulty())
        wait_for("the start", 10, lambda: " started " in agent.log())
        self.assertEqual(agent.log().count("writes wait up to 5 min"), 1)
        self.fault("clock", "0 1")
        check = subprocess.run([AGENT, "check", *map(str, untrusted)], capture_output=True, text=True, env={**os.environ, **self.faulty()})
        self.assertNotIn("writes wait", check.stderr)

    def test_prints_no_secret(self):
        secret = "hunter2-very-secret"
        password = self.lab.folder / "password"
        password.write_text(secret + "\n")
        broker = self.lab.broker()
        self.serial_sim()
        agent = self.lab.agent(*self.flags(broker, "--username", "gw", "--password-file", password, "--log-level", "debug"))
        time.sleep(1)
        self.assertNotIn(secret, agent.log() + str(agent.ask()))
        with open(f"/proc/{agent.child.pid}/cmdline", "rb") as f:
            self.assertNotIn(secret.encode(), f.read())

    def test_writes_records_to_stdout_and_ends_when_the_reader_is_gone(self):
        self.serial_sim()
        flags = [str(f) for f in self.flags("stdout:")]
        child = subprocess.Popen([AGENT, "run", *flags, "--control", self.lab.folder / "c"], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        try:
            lines = [child.stdout.readline() for _ in range(5)]
            self.assertTrue(all(line.startswith(b'{"id":"gw/') for line in lines), lines)
            child.stdout.close()
            self.assertEqual(child.wait(8), 0)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


if __name__ == "__main__":
    unittest.main(verbosity=2)
