"""What the reference backend promises to itself, without a broker: repeats, gaps, answers, and when it acknowledges."""
import json
import pathlib
import sys
import tempfile
import time
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from backend.consumer import Consumer  # noqa: E402
from backend.db import open_db  # noqa: E402
from backend.message import parse  # noqa: E402
from backend.orders import Orders  # noqa: E402

EPOCH = "3f9c0a6b12de"
AT = "2026-11-22T10:00:00.000Z"


def record(number, lane="readings", epoch=EPOCH, gateway="g1", **more):
    return json.dumps({"id": f"{gateway}/{epoch}/{lane}/{number}", "seq": number, "at": AT, **more})


def message(*records):
    return '{"gateway":"g1","records":[' + ",".join(records) + "]}"


def started(previous, epoch, store="kept", **more):
    detail = {"previous": previous, "store": store, **more}
    return record(1, "events", epoch, event="started", detail=detail)


class FakeRedis:
    def __init__(self):
        self.hashes, self.checked = {}, set()

    def exists(self, key):
        return key in self.hashes

    def hset(self, key, field, value):
        self.hashes.setdefault(key, {})[field] = value

    def hsetnx(self, key, field, value):
        self.hashes.setdefault(key, {}).setdefault(field, value)

    def hgetall(self, key):
        return dict(self.hashes.get(key, {}))

    def set(self, key, _value, ex, nx):
        assert ex and nx
        fresh = key not in self.checked
        self.checked.add(key)
        return fresh

    def expire(self, _key, _seconds):
        pass


class Channel:
    """Notes in which order things happen."""

    def __init__(self):
        self.done = []

    def basic_ack(self, tag, multiple):
        assert multiple
        self.done.append(("ack", tag))

    def basic_publish(self, _exchange, key, body):
        self.done.append((key, json.loads(body)))


class Case(unittest.TestCase):
    """With SQLite; tests/cloud_flow/postgres_test.py runs all of it with PostgreSQL."""

    def new_place(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return f"{folder.name}/db"

    def setUp(self):
        self.db = open_db(self.new_place())
        self.addCleanup(self.db.close)
        self.redis = FakeRedis()
        self.orders = Orders(self.redis, self.db)
        self.channel = Channel()
        self.consumer = Consumer(None, None, self.orders)
        self.consumer.db, self.consumer.channel = self.db, self.channel

    def store(self, *records):
        return self.db.store([("metergate.g1.readings", message(*records).encode())])

    def gaps(self):
        return [("/".join(lane), first, last) for *lane, first, last in self.db.gaps()]

    def numbers(self):
        return [number for number, in self.db.rows("SELECT seq FROM records ORDER BY lane, seq")]

    def lost(self):
        return self.db.rows("SELECT name, first, last, why FROM lost JOIN lanes ON lanes.lane = lost.lane")

    def deliver(self, *messages, receipts=False):
        """As (key, body), together in one transaction."""
        self.consumer.receipts = receipts
        for tag, (key, body) in enumerate(messages, 8 - len(messages)):
            self.consumer.on_message(types.SimpleNamespace(routing_key=key, delivery_tag=tag), body.encode())
        self.consumer.flush()

    def aside(self):
        return [why for why, in self.db.rows("SELECT why FROM aside")]


class Records(Case):
    def test_a_repeat_is_stored_once_however_it_is_grouped(self):
        self.store(record(1), record(2))
        self.store(record(2), record(3))
        self.assertEqual(self.numbers(), [1, 2, 3])
        self.assertEqual(self.aside(), [])

    def test_a_repeat_within_one_transaction_is_stored_once(self):
        self.deliver(*[("metergate.g1.readings", message(record(n, values={"a": n}), record(1, values={"a": 1}))) for n in (2, 1, 2)])
        self.assertEqual(self.numbers(), [1, 2])
        self.assertEqual((self.aside(), self.channel.done), ([], [("ack", 7)]))
        self.assertEqual(self.db.rows("SELECT value FROM readings ORDER BY value"), [("1",), ("2",)])

    def test_another_content_under_a_known_id_is_set_aside(self):
        self.store(record(1, values={"a": 1}))
        self.store(record(1, values={"a": 2}))
        self.store(record(1, values={"a": 1}).replace("10:00", "11:00"))
        self.assertEqual(self.aside(), ["two contents under one id"] * 2)
        self.assertEqual(self.db.rows("SELECT value FROM readings"), [("1",)])

    def test_keeps_every_digit_of_a_value(self):
        self.db.rows("INSERT INTO devices VALUES ('meter-1', 'g1', 'main')")
        self.store('{"id":"g1/e/readings/1","at":"' + AT + '","meter":"main","values":'
                   '{"a":18446744073709551615,"b":1234567890123.4560,"c":null,"d":"on","e":true}}')
        self.assertEqual(self.db.rows("SELECT device, point, value FROM readings ORDER BY point"), [
            ("meter-1", "a", "18446744073709551615"), ("meter-1", "b", "1234567890123.4560"), ("meter-1", "c", None),
            ("meter-1", "d", "on"), ("meter-1", "e", "true")])

    def test_a_message_is_stored_as_a_whole_or_not_at_all(self):
        for second in (record(1, gateway="g2"), '{"seq":2}', "}"):
            with self.subTest(second):
                self.store(record(1), second)
                self.assertEqual(self.numbers(), [])
                self.assertEqual(len(self.aside()), 1)
                self.db.rows("DELETE FROM aside")

    def test_a_message_that_only_the_db_refuses_costs_the_others_of_its_transaction_nothing(self):
        good = [("metergate.g1.readings", message(record(n))) for n in (1, 2, 3, 4)]
        self.deliver(*good[:2], ("metergate.g1.status", '{"state":{},"at":"T","since":"T"}'), *good[2:])
        self.assertEqual(self.numbers(), [1, 2, 3, 4])
        self.assertEqual((len(self.aside()), self.channel.done), (1, [("ack", 7)]))

    def test_an_old_record_is_stored_too(self):
        self.store(record(1).replace("2026-11-22", "1970-01-01"))
        self.assertEqual(self.numbers(), [1])

    def test_a_catalog_may_have_several_parts(self):
        for topic, part in (("catalog", 1), ("catalog.2", 2)):
            self.deliver((f"metergate.g1.{topic}", json.dumps({"catalog": "5d1c70aa", "part": part, "parts": 2})))
        self.assertEqual(self.db.rows("SELECT catalog, part FROM catalogs ORDER BY part"), [("5d1c70aa", 1), ("5d1c70aa", 2)])


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
                self.assertEqual(self.db.upto(tuple(self.LANE.split("/"))), 7)

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
        self.assertEqual(self.lost(), [("readings", 2, 3, "purged")])

    def test_epochs_are_ordered_by_their_chain(self):
        last = {"readings": 0}
        self.store(started({"epoch": "two", "last": last}, "three"))
        self.store(started(None, "one", store="new"))
        self.store(started({"epoch": "one", "last": last}, "two"))
        self.assertEqual(self.db.epochs("g1"), ["one", "two", "three"])


class Replays(Case):
    def setUp(self):
        super().setUp()
        self.now = time.time()
        self.store(record(1), record(5))

    def ask(self, after):
        """What is asked then, as (from, to) by id of the command."""
        for gap in self.db.gaps_to_ask(self.now + after):
            self.db.ask(self.now + after, *gap)
        asked = [parse(body) for body, in self.db.rows("SELECT body FROM operations WHERE result IS NULL ORDER BY asked_at")]
        return {command["id"].rsplit("/", 1)[1]: (command["from_seq"], command["to_seq"]) for command in asked}

    def result(self, number, attempt, status, missing=()):
        self.store(record(number, "results", op="replay", command=f"replay/g1/{EPOCH}/readings/2-4/{attempt}", status=status,
                          missing=list(missing)))

    def test_a_gap_has_some_time_to_close_by_itself(self):
        self.assertEqual(self.ask(5), {})
        self.assertEqual(self.ask(15), {"1": (2, 4)})

    def test_is_not_asked_again_before_its_result(self):
        self.ask(15)
        self.store(record(3))  # of the replay, which is still at work
        self.assertEqual(self.ask(5000), {"1": (2, 4)})

    def test_a_replay_that_failed_is_asked_again_with_growing_pauses(self):
        self.ask(15)
        for attempt, (wait, status) in enumerate(((20, "failed"), (25, "rejected")), 1):
            self.result(attempt, attempt, status)
            self.assertEqual(self.ask(wait + attempt * 10 - 15), {})
            self.assertEqual(self.ask(1000 * attempt), {str(attempt + 1): (2, 4)})

    def test_what_the_gateway_no_longer_has_is_not_asked_again(self):
        self.ask(15)
        self.result(1, 1, "done", [{"epoch": EPOCH, "lane": "readings", "from_seq": 2, "to_seq": 4, "why": "purged"}])
        self.assertEqual(self.ask(5000), {})
        self.assertEqual(self.lost(), [("readings", 2, 4, "purged")])


class Answers(Case):
    def setUp(self):
        super().setUp()
        self.command = {"id": "c1", "op": "read", "meter": "main"}
        self.db.open("g1", self.command, "o1", "meter-1")
        self.db.open("g1", {**self.command, "id": "c2"}, "o1", "meter-2")
        self.result = record(1, "results", command="c1", op="read", status="done")

    def states(self):
        return {device: result and result["status"] for device, result in self.orders.poll("o1").items()}

    def test_a_result_answers_its_device_and_no_other(self):
        self.deliver(("metergate.g1.results", message(self.result)))
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_a_result_that_was_stored_before_still_answers(self):
        self.store(self.result)
        self.db.rows("UPDATE operations SET result = NULL")
        self.deliver(("metergate.g1.results", message(self.result)))
        self.assertEqual(self.states()["meter-1"], "done")

    def test_only_the_gateway_that_was_asked_can_answer(self):
        answer = record(1, "results", gateway="g2", command="c1", op="read", status="done")
        self.deliver(("metergate.g2.results", message(answer)))
        self.assertEqual(self.states()["meter-1"], None)

    def test_a_new_command_is_due_at_once_then_with_growing_pauses_until_there_is_a_result(self):
        now = time.time()
        self.assertEqual(self.due(now), ["c1", "c2"])
        self.assertEqual(self.due(now + 9), [])
        self.assertEqual(self.due(now + 10), ["c1", "c2"])
        self.assertEqual(self.due(now + 29), [])
        self.store(self.result)
        self.assertEqual(self.due(now + 1000), ["c2"])

    def due(self, now):
        return sorted(command for command, _gateway, _body in self.db.due(now))

    def test_a_command_without_a_confirm_is_due_again_soon(self):
        now = time.time()
        self.due(now)
        self.db.not_sent("c1", now)
        self.assertEqual(self.due(now + 2), ["c1"])

    def test_a_lost_session_makes_open_commands_due_at_once(self):
        self.due(time.time())
        self.store(record(1, "events", event="session_lost", detail={}))
        self.assertEqual(self.due(1), ["c1", "c2"])

    def test_after_a_new_store_reads_are_due_at_once_and_writes_unknown(self):
        self.db.open("g1", {"id": "w", "op": "write", "meter": "main", "point": "relay", "value": 1}, "o1", "meter-3")
        self.due(time.time())
        self.deliver(("metergate.g1.events", message(started(None, EPOCH, store="new"))))
        self.assertEqual(self.due(1), ["c1", "c2"])
        self.assertEqual(self.states(), {"meter-1": None, "meter-2": None, "meter-3": "unknown"})

    def test_a_command_that_nobody_is_subscribed_to_ends(self):
        self.deliver(("metergate.g1.commands", json.dumps(self.command)))
        self.assertEqual(self.orders.poll("o1")["meter-1"]["error"]["code"], "no_such_gateway")
        self.assertEqual(self.channel.done, [("ack", 7)])

    def test_a_gateway_that_was_heard_of_is_only_away(self):
        self.deliver(("metergate.g1.status", json.dumps({"state": "online", "at": AT, "since": AT})))
        self.deliver(("metergate.g1.commands", json.dumps(self.command)))
        self.assertEqual(self.states()["meter-1"], None)


class Copies(Case):
    """Redis is a copy: late, empty or dead, it costs no reading and no answer."""

    def setUp(self):
        super().setUp()
        self.db.open("g1", {"id": "c1", "op": "read"}, "o1", "meter-1")
        self.db.open("g1", {"id": "c2", "op": "read"}, "o1", "meter-2")
        self.result = "metergate.g1.results", message(record(1, "results", command="c1", status="done"))

    def states(self):
        return {device: result and result["status"] for device, result in self.orders.poll("o1").items()}

    def test_polls_of_an_incomplete_order_seldom_ask_the_db(self):
        self.states()
        self.db.answers = lambda _order: self.fail("asked the db")
        self.assertEqual(self.states(), {"meter-1": None, "meter-2": None})

    def test_a_result_is_in_the_copy_after_its_acknowledgement(self):
        self.states()
        self.db.answers = lambda _order: self.fail("asked the db")
        self.deliver(self.result)
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_what_redis_forgot_is_made_again_from_the_db(self):
        self.states()
        self.deliver(self.result)
        self.redis.hashes.clear()
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_what_redis_missed_is_found_after_some_seconds(self):
        self.states()
        self.consumer.orders = Orders(None)
        self.deliver(self.result)
        self.assertEqual(self.states(), {"meter-1": None, "meter-2": None})
        self.redis.checked.clear()  # as time does
        self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})

    def test_a_dead_redis_is_left_alone_and_costs_nothing(self):
        calls = []

        def dead(*_args, **_more):
            calls.append(1)
            raise ConnectionError

        for name in ("exists", "hset", "hsetnx", "hgetall", "set", "expire"):
            setattr(self.redis, name, dead)
        with self.assertLogs("backend.orders"):
            self.deliver(self.result)
            for _ in range(5):
                self.assertEqual(self.states(), {"meter-1": "done", "meter-2": None})
        self.assertEqual((self.channel.done, len(calls)), ([("ack", 7)], 1))


class PresenceOfGateways(Case):
    def hear(self, state, at, since):
        status = {"state": state, "at": f"2026-11-22T10:{at:02d}:00.000Z", "since": f"2026-11-22T10:{since:02d}:00.000Z"}
        self.deliver(("metergate.g1.status", json.dumps(status)))

    def state(self, after=0.0):
        return self.db.presence(time.time() + after)[0][1]

    def test_the_will_of_an_earlier_connect_says_nothing(self):
        self.hear("online", 5, 5)
        self.hear("online", 10, 10)
        self.hear("offline", 5, 5)
        self.assertEqual(self.state(), "online")
        self.hear("offline", 10, 10)
        self.assertEqual(self.state(), "offline")

    def test_online_counts_also_after_the_clock_was_set_back(self):
        self.hear("offline", 10, 10)
        self.hear("online", 5, 5)
        self.assertEqual(self.state(), "online")

    def test_a_gateway_whose_will_never_came_is_silent_after_two_intervals(self):
        self.hear("online", 5, 5)
        self.assertEqual(self.state(600), "online")
        self.assertEqual(self.state(700), "silent")


class Acknowledging(Case):
    def test_acknowledges_after_the_commit_and_not_without(self):
        self.deliver(("metergate.g1.readings", message(record(1))))
        self.assertEqual(self.channel.done, [("ack", 7)])
        self.db.rows("ALTER TABLE records RENAME TO gone")
        with self.assertRaises(Exception):
            self.deliver(("metergate.g1.readings", message(record(2))))
        self.assertEqual(self.channel.done, [("ack", 7)])

    def test_many_messages_are_one_transaction_and_one_acknowledgement(self):
        self.deliver(*[("metergate.g1.readings", message(record(n))) for n in range(1, 600)])
        self.assertEqual(self.channel.done, [("ack", 8 - 599 + 499), ("ack", 7)])  # 500 at most
        self.assertEqual(len(self.numbers()), 599)

    def test_the_first_answer_stays(self):
        self.db.open("g1", {"id": "c1", "op": "read"}, "o1", "meter-1")
        self.deliver(("metergate.g1.results", message(record(1, "results", command="c1", status="done"))),
                     ("metergate.g1.commands", '{"id":"c1"}'))
        self.assertEqual(self.orders.poll("o1")["meter-1"]["status"], "done")

    def test_sets_aside_what_nobody_is_bound_to_but_receipts(self):
        self.deliver(("other.g1.readings", "{}"), ("odd", "{}"), ("metergate.g1.commands", "{"), ("metergate.g1.receipts", "{}"))
        self.assertEqual((len(self.aside()), self.channel.done), (3, [("ack", 7)]))

    def test_sets_aside_and_acknowledges_what_it_cannot_read(self):
        readings = ["{", '{"records":[5]}', '{"records":[' + "[" * 100_000, message(record(1, gateway="g2")),
                    message(record(10**30)), message(record("x")), message(record(1, values=[1])), message(record(1, "other")),
                    message(record(1, at={}, values={"a": 1})), message(record(1).replace("10:00", "25:00")),
                    message(record(1, values={"a": "\ud800"})), message(record(1, values={"a": "\0"})),
                    message('{"id":"g1/e/readings/1","at":"' + AT + '","values":{"a":1e999999}}')]
        events = [message(record(1, "events", event="records_dropped", detail={"epoch": "e", "lane": "readings", **numbers}))
                  for numbers in (
                      {"from_seq": 5, "to_seq": 1}, {"from_seq": 1, "to_seq": "x"}, {"from_seq": 0, "to_seq": 2**70},
                      {"from_seq": 1, "to_seq": 2, "epoch": 7}, {"from_seq": 1.5, "to_seq": 2})]
        wrong = [("metergate.g1.readings", body) for body in readings] + [("metergate.g1.events", body) for body in events]
        wrong += [("metergate.g1.catalog", "[]"), ("metergate.g1.results", message(record(1, "results"))), ("odd", "{}"),
                  ("metergate.g1.status", '{"state":"online"}')]
        for key, body in wrong:
            with self.subTest(body[:90]):
                self.channel.done.clear()
                self.deliver((key, body))
                self.assertEqual(self.channel.done, [("ack", 7)])
                self.assertEqual(len(self.aside()), 1)
                self.db.rows("DELETE FROM aside")
        self.assertEqual(self.numbers(), [])

    def test_sends_no_receipt_unless_asked_to(self):
        self.deliver(("metergate.g1.readings", message(record(1))))
        self.assertEqual(self.channel.done, [("ack", 7)])

    def test_a_receipt_follows_the_commit_and_stops_at_a_gap(self):
        for records, upto in (([record(1), record(2)], 2), ([record(2)], 2), ([record(5)], 2), ([record(4), record(3)], 5)):
            self.channel.done.clear()
            self.deliver(("metergate.g1.readings", message(*records)), receipts=True)
            self.assertEqual(self.channel.done, [
                ("metergate.g1.receipts", {"epoch": EPOCH, "lane": "readings", "upto": upto}), ("ack", 7)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
