"""A command is executed once and answered once, whatever dies in between."""
import time
import unittest

from case import GatewayTest
from lab import wait_for


def in_future(seconds=60):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


class Commands(GatewayTest):
    def begin(self, *more, sim=(), env=None, **kwargs):
        self.broker = self.lab.broker()
        self.sim = self.serial_sim(*sim)
        self.backend = self.lab.backend(self.broker.port)
        self.agent = self.lab.agent(*self.flags(self.broker, *more, **kwargs), env=env)
        wait_for("the agent online", 10, lambda: any(s["state"] == "online" for s in self.backend.status))

    def write(self, ident, value=7, point="limit", meter="m1"):
        self.backend.send({"id": ident, "op": "write", "meter": meter, "point": point, "value": value, "expires_at": in_future()})

    def write_requests(self):
        return [f for f in self.sim.frames() if f["kind"] == "request" and f.get("function") == 6]

    def test_reads_a_meter_and_answers_within_the_second_of_a_users_poll(self):
        self.begin()
        begin = time.monotonic()
        self.backend.send({"id": "c1", "op": "read", "meter": "m2", "points": ["count"]})
        result = self.backend.result("c1")
        took = time.monotonic() - begin
        self.assertEqual(result["status"], "done")
        self.assertEqual(result["values"]["count"] // 10000000, 2)
        self.assertLess(took, 1.0)
        for name in ("received_at", "started_at", "finished_at", "at", "clock"):
            self.assertIn(name, result)

    def test_reads_raw_registers_by_route(self):
        self.begin()
        self.backend.send({"id": "r", "op": "read", "route": {"bus": "rs485-1", "unit": 3},
                           "registers": {"table": "input", "address": 100, "count": 3}})
        self.assertEqual(self.backend.result("r")["registers"], [100, 101, 102])

    def test_writes_once_and_reads_back(self):
        self.begin()
        self.write("w", value="on", point="relay")
        result = self.backend.result("w")
        self.assertEqual((result["status"], result["values"]), ("done", {"relay": "on"}))
        self.assertEqual(len(self.write_requests()), 1)

    def test_answers_a_repeated_id_with_the_same_record_and_does_nothing(self):
        self.begin()
        self.write("w")
        self.backend.result("w")
        for _ in range(3):
            self.write("w", value=8)
            time.sleep(1.1)
        wait_for("the repeats", 5, lambda: len(self.backend.results["w"]) >= 3)
        self.assertEqual(len({ident for ident, _ in self.backend.results["w"]}), 1)
        self.assertEqual(len(self.write_requests()), 1)

    def test_executes_a_command_that_came_while_the_gateway_was_off(self):
        self.begin()
        self.agent.kill(15)
        self.backend.send({"id": "late", "op": "read", "meter": "m1"})
        self.backend.send({"id": "over", "op": "read", "meter": "m1", "expires_at": in_future(-5)})
        self.agent.start()
        self.assertEqual(self.backend.result("late")["status"], "done")
        self.assertEqual(self.backend.result("over")["status"], "expired")

    def test_rejects_what_is_wrong_and_survives_nonsense(self):
        self.begin()
        for payload in (b"", b"\x00\xff", b"[" * 70000, b'{"id":' + b"9" * 5000 + b"}", b'{"op":"read"}'):
            self.backend.send(payload)
        self.backend.send({"id": "x", "op": "read", "meter": "nobody"})
        self.assertEqual(self.backend.result("x")["error"]["code"], "no_such_meter")
        self.backend.send({"id": "s", "op": "status"})
        status = self.backend.result("s")
        self.assertEqual(status["store"]["dead_letters"], 5)
        self.assertEqual(status["buses"][0]["name"], "rs485-1")
        wait_for("the event", 5, lambda: self.backend.events("command_unreadable"))
        self.backend.send({"id": "k", "op": "catalog"})
        self.assertIn("count", self.backend.result("k")["content"]["profiles"])

    def finish(self, ident, allowed, most_writes=1):
        """After the kill: restarts, checks the result, repeats the id three times, and counts writes on the wire."""
        self.sim.tell("release")
        self.agent.start()
        result = self.backend.result(ident)
        self.assertIn(result["status"], allowed)
        for _ in range(3):
            self.write(ident)
            time.sleep(1.05)
        writes = len(self.write_requests())
        self.assertLessEqual(writes, most_writes)
        self.assertEqual(len({i for i, _ in self.backend.results[ident]}), 1)
        return result

    def test_executes_a_write_once_that_was_only_admitted_when_the_process_died(self):
        self.begin(every=None, bus_more=",timeout=2s")
        self.sim.tell("hold")
        self.backend.send({"id": "busy", "op": "read", "meter": "m1"})
        self.write("w")
        wait_for("both commands in the inbox", 5, lambda: self.agent.ask()["store"]["open_commands"] == 2)
        self.agent.kill()
        self.finish("w", {"done"})

    def test_never_sends_a_write_whose_process_died_between_its_mark_and_its_first_byte(self):
        self.begin(every=None, bus_more=",gap=3s")
        self.backend.send({"id": "first", "op": "read", "meter": "m1", "points": ["count"]})
        self.backend.result("first")
        self.write("w")
        time.sleep(1.0)  # marked; the line is kept silent for 3 s
        self.agent.kill()
        result = self.finish("w", {"unknown"}, most_writes=0)
        self.assertEqual(result["error"]["code"], "interrupted")

    def test_leaves_a_write_unknown_whose_process_died_after_its_last_byte(self):
        self.begin(every=None, bus_more=",timeout=3s")
        self.sim.tell("hold")
        self.write("w")
        wait_for("the write on the wire", 5, self.write_requests)
        self.agent.kill()
        self.finish("w", {"unknown"})

    def test_does_not_repeat_a_write_whose_process_died_before_the_results_commit(self):
        self.begin(every=None, sim=("--turn", "300ms"), env=self.faulty())
        self.write("w")
        wait_for("the write on the wire", 5, self.write_requests)
        self.fault("hold-fdatasync")
        wait_for("the answer", 5, lambda: [f for f in self.sim.frames() if f["kind"] == "reply" and f["function"] == 6])
        time.sleep(0.3)
        self.agent.kill()
        self.heal("hold-fdatasync")
        self.finish("w", {"unknown", "done"})

    def test_keeps_the_result_of_a_write_that_was_committed_when_the_process_died(self):
        self.begin(every=None)
        self.write("w")
        self.backend.result("w")
        self.agent.kill()
        self.finish("w", {"done"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
