"""What the reference backend promises to itself, without a broker: repeats, gaps, answers, and when it acknowledges."""
import json
import pathlib
import sys
import tempfile
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from backend.consumer import Consumer  # noqa: E402
from backend.db import BadMessage, Db, parse  # noqa: E402
from backend.orders import Orders  # noqa: E402

EPOCH = "3f9c0a6b12de"


def record(number, lane="readings", epoch=EPOCH, gateway="g1", **more):
    return json.dumps({"id": f"{gateway}/{epoch}/{lane}/{number}", "seq": number, "at": "2026-11-22T10:00:00.000Z", **more})


def message(*records):
    return '{"gateway":"g1","records":[' + ",".join(records) + "]}"


def started(previous, epoch, store="kept", **more):
    detail = {"previous": previous, "store": store, **more}
    return record(1, "events", epoch, event="started", detail=detail)


class FakeRedis:
    def __init__(self):
        self.hashes = {}

    def exists(self, key):
        return key in self.hashes

    def hset(self, key, field, value):
        self.hashes.setdefault(key, {})[field] = value

    def hsetnx(self, key, field, value):
        self.hashes.setdefault(key, {}).setdefault(field, value)

    def hgetall(self, key):
        return dict(self.hashes.get(key, {}))

    def expire(self, _key, _seconds):
        pass


class Channel:
    """Notes in which order things happen."""

    def __init__(self):
        self.done = []

    def basic_ack(self, tag):
        self.done.append(("ack", tag))

    def basic_publish(self, _exchange, key, body):
        self.done.append((key, json.loads(body)))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.db = Db(f"{folder.name}/db")
        self.addCleanup(self.db.sql.close)
        self.redis = FakeRedis()
        self.orders = Orders(self.redis, self.db)
        self.channel = Channel()

    def store(self, *records):
        return self.db.store("g1", message(*records))

    def gaps(self):
        return self.db.rows("SELECT lane, first, last FROM gaps ORDER BY lane, first")

    def deliver(self, key, body, receipts=False):
        consumer = Consumer(None, self.db, self.orders, receipts)
        call = consumer.on_unrouted if receipts is None else consumer.on_message
        call(self.channel, types.SimpleNamespace(routing_key=key, delivery_tag=7), None, body.encode())

    def aside(self):
        return [why for why, in self.db.rows("SELECT why FROM aside")]


class Records(Case):
    def test_a_repeat_is_stored_once_however_it_is_grouped(self):
        self.store(record(1), record(2))
        self.store(record(2), record(3))
        self.assertEqual([i for i, in self.db.rows("SELECT id FROM records ORDER BY id")],
                         [f"g1/{EPOCH}/readings/{n}" for n in (1, 2, 3)])
        self.assertEqual(self.aside(), [])

    def test_another_content_under_a_known_id_is_set_aside(self):
        self.store(record(1, values={"a": 1}))
        self.store(record(1, values={"a": 2}))
        self.assertEqual(self.aside(), ["two contents under one id"])
        self.assertEqual(self.db.rows("SELECT value FROM readings"), [("1",)])

    def test_keeps_every_digit_of_a_value(self):
        self.db.sql.execute("INSERT INTO devices VALUES ('meter-1', 'g1', 'main')")
        self.db.store("g1", message('{"id":"g1/e/readings/1","at":"T","meter":"main","values":'
                                    '{"a":18446744073709551615,"b":1234567890123.4560,"c":null,"d":"on"}}'))
        self.assertEqual(self.db.rows("SELECT device, point, value FROM readings"), [
            ("meter-1", "a", "18446744073709551615"), ("meter-1", "b", "1234567890123.4560"), ("meter-1", "c", None),
            ("meter-1", "d", "on")])

    def test_a_message_is_stored_as_a_whole_or_not_at_all(self):
        for second in (record(1, gateway="g2"), '{"seq":2}', "}"):
            with self.subTest(second), self.assertRaises(BadMessage):
                self.store(record(1), second)
            self.assertEqual(self.db.rows("SELECT * FROM records"), [])


class Gaps(Case):
    LANE = f"g1/{EPOCH}/readings"

    def test_numbers_between_are_a_gap_until_they_arrive(self):
        self.store(record(1), record(5))
        self.assertEqual(self.gaps(), [(self.LANE, 2, 4)])
        self.store(record(3))
        self.assertEqual(self.gaps(), [(self.LANE, 2, 2), (self.LANE, 4, 4)])
        self.store(record(4), record(2))
        self.assertEqual(self.gaps(), [])

    def test_a_lane_that_does_not_begin_at_one_has_a_gap(self):
        self.store(record(3))
        self.assertEqual(self.gaps(), [(self.LANE, 1, 2)])

    def test_dropped_records_are_no_question_any_more(self):
        dropped = {"epoch": EPOCH, "lane": "readings", "from_seq": 2, "to_seq": 6, "count": 5}
        for order in ("drop first", "record first"):
            with self.subTest(order):
                self.setUp()
                both = [record(1, "events", event="records_dropped", detail=dropped), record(7)]
                self.store(record(1))
                self.store(*(both if order == "drop first" else both[::-1]))
                self.assertEqual(self.gaps(), [])
                self.assertEqual(self.db.upto(self.LANE), 7)

    def test_the_end_of_an_epoch_shows_what_is_missing_there(self):
        self.store(record(1))
        last = {"readings": 4, "results": None, "events": 0}
        self.store(started({"epoch": EPOCH, "last": last}, "b" * 12))
        self.assertEqual(self.gaps(), [(self.LANE, 2, 4)])

    def test_a_replay_tells_what_will_not_come(self):
        self.store(record(1), record(4))
        missing = [{"epoch": EPOCH, "lane": "readings", "from_seq": 2, "to_seq": 3, "why": "purged"}]
        self.store(record(1, "results", op="replay", command="r", status="done", sent=0, missing=missing))
        self.assertEqual(self.gaps(), [])
        self.assertEqual(self.db.rows("SELECT * FROM lost"), [(self.LANE, 2, 3, "purged")])

    def test_epochs_are_ordered_by_their_chain(self):
        last = {"readings": 0}
        self.store(started({"epoch": "two", "last": last}, "three"))
        self.store(started(None, "one", store="new"))
        self.store(started({"epoch": "one", "last": last}, "two"))
        self.assertEqual(self.db.epochs("g1"), ["one", "two", "three"])


class Answers(Case):
    def setUp(self):
        super().setUp()
        self.command = {"id": "c1", "op": "read", "meter": "main"}
        self.orders.open("o1", ["meter-1", "meter-2"])
        self.db.open("g1", self.command, "o1", "meter-1")
        self.db.open("g1", {**self.command, "id": "c2"}, "o1", "meter-2")
        self.result = record(1, "results", command="c1", op="read", status="done")

    def states(self):
        return {device: result and result["status"] for device, result in self.orders.poll("o1").items()}

    def test_a_result_answers_its_device_and_no_other(self):
        self.deliver("metergate.g1.results", message(self.result))
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_a_result_that_was_stored_before_still_answers(self):
        self.store(self.result)
        self.db.sql.execute("UPDATE operations SET result = NULL")
        self.deliver("metergate.g1.results", message(self.result))
        self.assertEqual(self.states()["meter-1"], "done")

    def test_only_the_gateway_that_was_asked_can_answer(self):
        self.deliver("metergate.g2.results", message(record(1, "results", gateway="g2", command="c1", op="read", status="done")))
        self.assertEqual(self.states()["meter-1"], None)

    def test_what_redis_forgot_is_made_again_from_the_db(self):
        self.redis.hashes.clear()
        self.deliver("metergate.g1.results", message(self.result))
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_is_due_again_with_growing_pauses_until_there_is_a_result(self):
        now = self.db.rows("SELECT repeat_at FROM operations WHERE command = 'c1'")[0][0] + 1
        self.assertEqual([parse(body)["id"] for _gateway, body in self.db.due(now)], ["c1", "c2"])
        self.assertEqual(self.db.due(now + 9), [])
        self.assertEqual(len(self.db.due(now + 10)), 2)
        self.assertEqual(self.db.due(now + 29), [])
        self.store(self.result)
        self.assertEqual([parse(body)["id"] for _gateway, body in self.db.due(now + 1000)], ["c2"])

    def test_a_lost_session_makes_open_commands_due_at_once(self):
        self.store(record(1, "events", event="session_lost", detail={}))
        self.assertEqual(len(self.db.due(1)), 2)

    def test_after_a_new_store_reads_are_due_at_once_and_writes_unknown(self):
        self.db.open("g1", {"id": "w", "op": "write", "meter": "main", "point": "relay", "value": 1}, "o1", "meter-3")
        self.deliver("metergate.g1.events", message(started(None, EPOCH, store="new")))
        self.assertEqual([parse(body)["id"] for _gateway, body in self.db.due(1)], ["c1", "c2"])
        self.assertEqual(self.states(), {"meter-1": None, "meter-2": None, "meter-3": "unknown"})

    def test_a_command_that_nobody_is_subscribed_to_ends(self):
        self.deliver("metergate.g1.commands", json.dumps(self.command), receipts=None)
        self.assertEqual(self.orders.poll("o1")["meter-1"]["error"]["code"], "no_such_gateway")
        self.assertEqual(self.channel.done, [("ack", 7)])


class Acknowledging(Case):
    def test_acknowledges_after_the_commit_and_not_without(self):
        self.deliver("metergate.g1.readings", message(record(1)))
        self.assertEqual(self.channel.done, [("ack", 7)])
        self.db.sql.execute("DROP TABLE records")
        with self.assertRaises(Exception):
            self.deliver("metergate.g1.readings", message(record(2)))
        self.assertEqual(self.channel.done, [("ack", 7)])

    def test_a_result_that_redis_did_not_take_comes_again_and_is_taken(self):
        self.orders.open("o1", ["meter-1"])
        self.db.open("g1", {"id": "c1", "op": "read"}, "o1", "meter-1")
        result = message(record(1, "results", command="c1", status="done"))
        self.redis.exists = lambda _key: 1 / 0
        with self.assertRaises(ZeroDivisionError):
            self.deliver("metergate.g1.results", result)
        self.assertEqual(self.channel.done, [])
        del self.redis.exists
        self.deliver("metergate.g1.results", result)
        self.assertEqual(self.channel.done, [("ack", 7)])
        self.assertEqual(self.orders.poll("o1")["meter-1"]["status"], "done")

    def test_the_first_answer_stays(self):
        self.db.open("g1", {"id": "c1", "op": "read"}, "o1", "meter-1")
        self.deliver("metergate.g1.results", message(record(1, "results", command="c1", status="done")))
        self.deliver("metergate.g1.commands", '{"id":"c1"}', receipts=None)
        self.assertEqual(self.orders.poll("o1")["meter-1"]["status"], "done")

    def test_sets_aside_what_nobody_is_bound_to_but_receipts(self):
        for key, body in (("other.g1.readings", "{}"), ("odd", "{}"), ("metergate.g1.commands", "{"),
                          ("metergate.g1.receipts", "{}")):
            self.deliver(key, body, receipts=None)
        self.assertEqual((len(self.aside()), self.channel.done), (3, [("ack", 7)] * 4))

    def test_sets_aside_and_acknowledges_what_it_cannot_read(self):
        wrong = [("metergate.g1.readings", body) for body in (
            "{", '{"records":[5]}', '{"records":[' + "[" * 100_000, message(record(1, gateway="g2")), message(record(10**30)),
            message(record("x")), message(record(1, values=[1])), message(record(1, at={}, values={"a": 1})),
            message(record(1, values={"a": "\ud800"})))]
        wrong += [("metergate.g1.catalog", "[]"), ("metergate.g1.results", message(record(1, "results"))), ("odd", "{}")]
        for key, body in wrong:
            with self.subTest(body[:60]):
                self.channel.done.clear()
                self.deliver(key, body)
                self.assertEqual(self.channel.done, [("ack", 7)])
        self.assertEqual(len(self.aside()), len(wrong))
        self.assertEqual(self.db.rows("SELECT * FROM records"), [])

    def test_sends_no_receipt_unless_asked_to(self):
        self.deliver("metergate.g1.readings", message(record(1)))
        self.assertEqual(self.channel.done, [("ack", 7)])

    def test_a_receipt_follows_the_commit_and_stops_at_a_gap(self):
        for records, upto in (([record(1), record(2)], 2), ([record(2)], 2), ([record(5)], 2), ([record(4), record(3)], 5)):
            self.channel.done.clear()
            self.deliver("metergate.g1.readings", message(*records), receipts=True)
            self.assertEqual(self.channel.done, [
                ("metergate.g1.receipts", {"epoch": EPOCH, "lane": "readings", "upto": upto}), ("ack", 7)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
