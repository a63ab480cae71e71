"""The broker or Redis freezes or dies: a user's request is answered at once all the same, and readings go on into the db."""
import os
import signal
import time
import unittest

from world import World, wait_for

PROFILE = """[profile]
format = 1
name = count
maker = test
model = a counter that grows with each answered poll
[points]
count = holding 0 u32 kind=counter
"""
AT_ONCE = 1.0  # seconds that a user waits at most, on a busy machine


class Outage(unittest.TestCase):
    def setUp(self):
        self.world = self.enterContext(World("g"))
        (self.world.lab.folder / "count.ini").write_text(PROFILE)
        meters = self.world.meters("meters", "--tcp", 0, "--meters", "1", "--counter", "holding:0")
        self.backend = self.world.backend({"meter-1": ("g", "m1")})
        self.agent = self.world.gateway(
            "g", "--bus", f"name=b,tcp=127.0.0.1:{meters.ports()[0]}", "--profile-dir", self.world.lab.folder,
            "--meter", "id=m1,bus=b,unit=1,profile=count,every=250ms")
        self.world.await_state(self.backend, "g", "online")

    def quick(self, action, *args, **more):
        begin = time.monotonic()
        value = action(*args, **more)
        self.assertLess(time.monotonic() - begin, AT_ONCE)
        return value

    def order(self):
        return self.quick(self.backend.order, ["meter-1"], ["count"])

    def await_answer(self, order, seconds):
        wait_for("the answer", seconds, lambda: self.quick(self.backend.poll, order)["meter-1"])

    def signal(self, server, sig):
        os.killpg(server.child.pid, sig)

    def readings(self):
        return self.backend.db.rows("SELECT count(*) FROM readings")[0][0]

    def test_orders_are_accepted_whatever_the_broker_does(self):
        self.await_answer(self.order(), 10)
        self.signal(self.world.rabbit, signal.SIGSTOP)
        frozen = [self.order() for _ in range(20)]
        time.sleep(8)  # beyond the sender's deadline
        frozen.append(self.order())
        self.signal(self.world.rabbit, signal.SIGCONT)
        for order in frozen:
            self.await_answer(order, 30)

        self.world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB")  # the broker takes nothing, and says nothing
        blocked = self.order()
        time.sleep(7)
        self.assertIsNone(self.quick(self.backend.poll, blocked)["meter-1"])
        self.world.rabbit.ctl("set_vm_memory_high_watermark", "absolute", "512MB")
        self.await_answer(blocked, 40)

        self.world.rabbit.kill()
        dead = self.order()
        self.world.rabbit.start()
        self.await_answer(dead, 40)

    def test_redis_costs_no_reading_and_no_answer(self):
        for harm in (lambda: self.signal(self.world.redis, signal.SIGSTOP), self.world.redis.kill):
            harm()
            before = self.readings()
            self.await_answer(self.order(), 10)
            wait_for("readings", 10, lambda: self.readings() > before + 8)  # noqa: B023
        self.world.redis.start()
        time.sleep(5.5)  # it is left alone for some time
        order = self.order()
        self.await_answer(order, 10)
        wait_for("the copy", 10, lambda: self.backend.orders.redis.hgetall(f"order:{order}").get("meter-1"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
