"""The promises of tests/backend/backend_test.py, kept by PostgreSQL."""
import sys
import threading
import time
import unittest

import world  # noqa: F401  the paths

from backend import backend_test
from backend.db import open_db
from backend.message import parse
from postgres import Postgres

SERVER = Postgres()


def load_tests(loader, _tests, _pattern):
    backend_test.Case.new_place = staticmethod(SERVER.new_database)
    suite = unittest.TestSuite(loader.loadTestsFromModule(backend_test))
    suite.addTests(loader.loadTestsFromTestCase(OnlyHere))
    return suite


class OnlyHere(unittest.TestCase):
    def setUp(self):
        self.place = SERVER.new_database()

    def open(self, **how):
        db = open_db(self.place, **how)
        self.addCleanup(db.close)
        return db

    @staticmethod
    def message(*numbers, lane="readings", **more):
        return ("metergate.g1." + lane,
                backend_test.message(*(backend_test.record(n, lane, **more) for n in numbers)).encode())

    def test_a_months_records_lie_in_its_partition(self):
        db = self.open()
        now = time.strftime("%Y-%m", time.gmtime())
        key, body = self.message(1)
        db.store([(key, body.replace(b"2026-11", now.encode()))])
        self.assertEqual(db.rows("SELECT tableoid::regclass::text FROM records"), [(f"records_{now.replace('-', '_')}",)])

    def test_values_may_be_rows_too(self):
        db = self.open(values="rows")
        db.store([self.message(1, 2, values={"a": 1})])
        self.assertEqual(db.rows("SELECT value FROM readings"), [("1",), ("1",)])

    def test_two_consumers_of_a_gateway_agree_about_its_gaps(self):
        """One has its readings, the other its events, which tell of dropped readings; in no order and at the same time."""
        def dropped(number, first, last):
            return self.message(number, lane="events", event="records_dropped", detail={
                "epoch": backend_test.EPOCH, "lane": "readings", "from_seq": first, "to_seq": last, "count": last - first + 1})

        readings = [self.message(n) for n in range(1, 301) if n % 3 == 0]
        events = [dropped(n, 3 * n - 2, 3 * n - 1) for n in range(1, 101)]
        errors = []

        def consume(db, messages):
            try:
                for message in messages:
                    db.store([message])
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=consume, args=(self.open(), part)) for part in (
            readings[::2], readings[1::2][::-1], events[::2], events[1::2][::-1])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        db = self.open()
        self.assertEqual((errors, db.gaps(), db.rows("SELECT * FROM aside")), ([], [], []))
        self.assertEqual(db.rows("SELECT sum(highest) FROM lanes"), [(400,)])

    def test_two_senders_do_not_take_the_same_command(self):
        one, two = self.open(), self.open()
        for n in range(10):
            one.open("g1", {"id": f"c{n}", "op": "read"})
        now = time.time()
        with one.engine.transaction():
            first = one.due(now, most=4)
            second = two.due(now)
        self.assertEqual(sorted(parse(body)["id"] for *_ids, body in first + second), [f"c{n}" for n in range(10)])


if __name__ == "__main__":
    try:
        SERVER.start()
        passed = unittest.main(verbosity=2, argv=sys.argv[:1], exit=False).result.wasSuccessful()
    finally:
        SERVER.stop()
    sys.exit(not passed)
