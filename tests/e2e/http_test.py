"""What --http shows, to whom, and that nobody who asks slowly, endlessly or for nonsense delays a poll or another one's answer."""
import base64
import http.client
import os
import pathlib
import re
import socket
import subprocess
import time
import unittest

from case import GatewayTest
from lab import AGENT, ROOT, free_port, wait_for

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None


class Http(GatewayTest):
    def start(self, *more, env=None, http="127.0.0.1"):
        self.port, meters = free_port(), free_port()
        self.lab.sim("--tcp", meters, "--meters", "1-2", "--counter", "holding:0")
        self.agent = self.lab.agent(
            "--gateway-id", "gw", "--bus", f"name=plant,tcp=127.0.0.1:{meters}", "--profile-dir", self.lab.folder / "profiles",
            "--meter", "id=main,bus=plant,unit=1,profile=count,every=100ms,points=count,label=<b>Hall & roof</b>",
            "--meter", "id=dead,bus=plant,unit=9,profile=count,every=1s,timeout=100ms",
            "--upstream", "mqtt://127.0.0.1:1", "--store", self.lab.folder / "metergate.db", "--trust-clock",
            "--http", f"{http}:{self.port}", *more, env=env)
        wait_for("the page", 10, lambda: self.listens())

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def get(self, path, method="GET", **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def metric(self, line):
        found = re.search(rf"^{re.escape(line)} (\S+)$", self.get("/metrics")[2], re.MULTILINE)
        return found and float(found.group(1))

    def good(self):
        return self.metric('metergate_meter_readings_total{bus="plant",meter="main",quality="good"}') or 0

    def test_metrics_health_and_page_tell_what_goes_on(self):
        self.start(env=self.faulty())
        wait_for("readings", 10, lambda: self.good() > 2)
        status, headers, text = self.get("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        if text_string_to_metric_families:
            families = {family.name: family for family in text_string_to_metric_families(text)}
            self.assertEqual(families["metergate_info"].samples[0].labels["gateway"], "gw")
            taken = [s for s in families["metergate_meter_last_good_reading_timestamp_seconds"].samples if s.labels["meter"] == "main"]
            self.assertAlmostEqual(taken[0].value, time.time(), delta=5)
        known = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
        for shipped in (ROOT / "systemd" / "monitoring").iterdir():
            named = {re.sub("_(sum|count)$", "", name) for name in re.findall(r"\bmetergate_\w+", shipped.read_text())}
            self.assertLessEqual(named, known, shipped)
        self.assertEqual(self.metric("metergate_uplink_connected"), 0)
        self.assertGreater(self.metric('metergate_lane_waiting_records{lane="readings"}'), 0)

        status, headers, page = self.get("/")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("&lt;b&gt;Hall &amp; roof&lt;/b&gt;", page)
        self.assertRegex(page, r"<td>count<td class=n>\d+")
        self.assertEqual(self.get("/nowhere")[0], 404)
        self.assertEqual(self.get("/metrics", "DELETE")[0], 405)

        self.assertEqual(self.get("/healthz")[0::2], (200, "ok\n"))
        self.fault("fail-fdatasync")
        wait_for("an ill store", 10, lambda: self.get("/healthz")[0] == 503)
        self.assertIn("store", self.get("/healthz")[2])
        self.heal("fail-fdatasync")
        wait_for("a healthy one", 10, lambda: self.get("/healthz")[0] == 200)

    def test_the_token_lets_in_from_elsewhere_and_nothing_else_does(self):
        token = self.lab.folder / "token"
        token.write_text("s3cret\n")
        self.start("--http-token-file", token, http="0.0.0.0")
        basic = base64.b64encode(b"metergate:s3cret").decode()
        for path in ("/", "/metrics", "/healthz"):
            self.assertEqual(self.get(path)[0], 401)
            self.assertEqual(self.get(path, Authorization="Bearer wrong")[0], 401)
            self.assertEqual(self.get(path, Authorization="Bearer s3cret")[0], 200)
            self.assertEqual(self.get(path, Authorization=f"Basic {basic}")[0], 200)
        wrong = [line for line in self.agent.log().splitlines() if "wrong token" in line]
        self.assertEqual(len(wrong), 1, "once a minute")
        self.assertNotIn("s3cret", self.agent.log())

        refused = subprocess.run([AGENT, "check", "--gateway-id", "gw", "--upstream", "stdout:", "--http", "0.0.0.0:1"],
                                 capture_output=True, text=True, timeout=10)
        self.assertEqual(refused.returncode, 64)
        self.assertIn("--http-token-file", refused.stderr)

    def test_slow_and_hostile_clients_delay_nothing(self):
        self.start()
        # What the page shows may be a second old: the counts come from the local socket.
        good = lambda: self.agent.ask()["buses"][0]["meters"][0]["good"]  # noqa: E731
        wait_for("readings", 10, lambda: good() > 2)
        before, began = good(), time.monotonic()
        slow = []
        for i in range(60):
            s = socket.create_connection(("127.0.0.1", self.port), timeout=5)
            s.sendall((b"GET / HTTP/1.1\r\nX: ", b"", b"\x16\x03\x01\x02\x00", b"GET /metrics HTTP/1.1\r\n\r\n")[i % 4])
            slow.append(s)
        slowest = 0
        while time.monotonic() < began + 4:
            for s in slow:
                try:
                    s.send(b"x", socket.MSG_NOSIGNAL)
                except OSError:
                    pass  # the gateway has dropped it
            asked = time.monotonic()
            self.assertEqual(self.get("/metrics")[0], 200)
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(0.1)
        polls = (good() - before) / (time.monotonic() - began)
        self.assertGreater(polls, 7, "ten polls a second were asked for")
        self.assertLess(slowest, 2)
        # Neither do their connections pile up: 16, and those of the kernel's queue.
        self.assertLess(len(os.listdir(f"/proc/{self.agent.child.pid}/fd")), 60)
        for s in slow:
            s.close()

        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as s:
            s.sendall(b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 5000)
            self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 431 "))
        self.assertTrue(self.agent.running())

    def test_without_it_there_is_no_thread_for_it(self):
        def has_thread(agent):
            tasks = pathlib.Path(f"/proc/{agent.child.pid}/task").iterdir()
            return "http" in [(task / "comm").read_text().strip() for task in tasks]

        self.start()
        self.assertTrue(has_thread(self.agent))
        self.assertEqual(self.agent.kill(15), 0)
        flags = self.agent.argv[2:]
        del flags[flags.index("--http"):flags.index("--http") + 2]
        flags = flags[:flags.index("--control")]
        agent = self.lab.agent(*flags, name="plain")
        wait_for("the agent", 10, agent.control.exists)
        self.assertFalse(has_thread(agent))


if __name__ == "__main__":
    unittest.main()
