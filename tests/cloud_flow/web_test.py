"""The HTTP interface: orders, polls, callbacks, devices, gaps, health, metrics; also while broker, Redis or the db are away."""
import os
import signal
import subprocess
import time
import unittest

from user import Address
from world import TESTS, World, wait_for

PROFILE = """[profile]
format = 1
name = count
maker = test
model = a counter that grows with each answered poll
[points]
count = holding 0 u32 kind=counter
"""


class Web(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = cls.enterClassContext(World("g", postgres=True))
        (cls.world.lab.folder / "count.ini").write_text(PROFILE)
        meters = cls.world.meters("meters", "--tcp", 0, "--meters", "1", "--counter", "holding:0")
        cls.user = cls.world.web({"meter-1": ("g", "m1"), "meter-2": ("nowhere", "m2")})
        cls.agent = cls.world.gateway("g", "--bus", f"name=b,tcp=127.0.0.1:{meters.ports()[0]}", "--profile-dir", cls.world.lab.folder,
                                      "--meter", "id=m1,bus=b,unit=1,profile=count,every=1s")
        wait_for("the gateway", 20, lambda: cls.presence() == "online")

    @classmethod
    def presence(cls):
        devices = {device["device"]: device for device in cls.user.ask("GET", "/devices")[1]}
        return devices["meter-1"]["presence"] and devices["meter-1"]["presence"]["state"]

    def await_answer(self, order, device="meter-1"):
        return wait_for("the answer", 30, lambda: self.user.poll(order)[device])

    def metric(self, name):
        text = self.user.ask("GET", "/metrics")[1]
        return {key: float(value) for key, value in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
                if key.startswith("metergate_cloud_" + name)}

    def test_an_order_is_accepted_and_its_results_are_polled(self):
        order = self.user.order(["meter-1", "meter-2"], ["count"])
        self.assertEqual(self.await_answer(order)["status"], "done")
        self.assertEqual(self.await_answer(order, "meter-2")["error"]["code"], "no_such_gateway")
        self.assertTrue(self.user.ask("GET", f"/orders/{order}")[1]["complete"])

    def test_the_callback_is_called_after_all_results_until_it_answers(self):
        address = Address(refuse=1)
        self.addCleanup(address.close)
        order = self.user.order(["meter-1"], callback=address.url())
        call = address.calls.get(timeout=30)
        self.assertEqual((call["order"], call["complete"], call["results"]["meter-1"]["status"]), (order, True, "done"))
        time.sleep(1.5)
        self.assertTrue(address.calls.empty(), "called again")

    def test_what_is_wrong_is_refused_with_a_reason(self):
        for content, status in (({"devices": ["meter-9"]}, 404), ({"devices": []}, 422), ({}, 422),
                                ({"devices": ["meter-1"], "callback": "file:///etc/passwd"}, 422)):
            self.assertEqual(self.user.ask("POST", "/orders", content)[0], status, content)
        self.assertEqual(self.user.ask("GET", "/orders/none")[0], 404)

    def test_a_device_is_put_and_listed(self):
        self.assertEqual(self.user.ask("PUT", "/devices/meter-3", {"gateway": "g", "meter": "m3"})[0], 204)
        self.assertIn({"device": "meter-3", "gateway": "g", "meter": "m3"},
                      [{k: v for k, v in d.items() if k != "presence"} for d in self.user.ask("GET", "/devices")[1]])

    def test_metrics_tell_the_lag_of_each_queue_and_what_is_open(self):
        wait_for("records", 20, lambda: sum(self.metric("records_total").values()) > 3)
        self.assertEqual(len(self.metric("queue_messages")), 5)
        self.assertEqual(self.metric("gap_records"), {"metergate_cloud_gap_records": 0})
        self.assertEqual(self.user.ask("GET", "/gaps")[1]["open"], [])

    def test_the_description_is_printed_without_a_broker(self):
        told = subprocess.run(["/usr/bin/python3", "-B", "-m", "backend", "openapi"], cwd=TESTS, capture_output=True, text=True)
        self.assertIn('"/orders/{order}"', told.stdout)

    def test_without_broker_and_redis_orders_are_accepted_and_health_tells(self):
        self.assertEqual(self.user.ask("GET", "/health"), (200, {"db": "up", "broker": "up", "redis": "up"}))
        for server in (self.world.rabbit, self.world.redis):
            os.killpg(server.child.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            order = self.user.order(["meter-1"])
            self.assertIsNone(self.user.poll(order)["meter-1"])
            self.assertLess(time.monotonic() - begin, 2)
            self.assertEqual(self.user.ask("GET", "/health")[1]["redis"], "down")
            time.sleep(6)
            self.assertEqual(self.metric("broker_up"), {"metergate_cloud_broker_up": 0})
        finally:
            for server in (self.world.rabbit, self.world.redis):
                os.killpg(server.child.pid, signal.SIGCONT)
        self.await_answer(order)

    def test_without_the_db_a_request_ends_with_503_and_goes_on_when_it_is_back(self):
        self.world.postgres.kill()
        begin = time.monotonic()
        self.assertEqual(self.user.ask("POST", "/orders", {"devices": ["meter-1"]})[0], 503)
        self.assertEqual(self.user.ask("GET", "/health")[0], 503)
        self.assertLess(time.monotonic() - begin, 8)
        self.world.postgres.start()
        wait_for("health", 20, lambda: self.user.ask("GET", "/health")[0] == 200)
        self.await_answer(self.user.order(["meter-1"]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
