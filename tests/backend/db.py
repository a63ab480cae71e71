"""The db: the only place where something is known for good. What is stored and what follows from it is here, the same for
both engines (sqlite.py, postgres.py); an engine knows how to hold a transaction and how to write many rows at once."""
import contextlib
import json
import time

from backend import PREFIX
from backend.message import BadMessage, Record, a_text, parse, ranges, records_of
from backend.operations import Operations
from backend.presence import Presence

# Times are seconds since 1970 but the records' own `at`. IDENTITY is the engine's.
SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (device TEXT PRIMARY KEY, gateway TEXT, meter TEXT, UNIQUE (gateway, meter));
-- Numbers of a lane start at 1 and have no holes; `highest` is the highest that is here or known not to come.
CREATE TABLE IF NOT EXISTS lanes (lane IDENTITY, gateway TEXT NOT NULL, epoch TEXT NOT NULL, name TEXT NOT NULL,
                                  highest BIGINT NOT NULL DEFAULT 0, UNIQUE (gateway, epoch, name));
-- A gap is a question, not yet a loss. `asked` times a replay was sent for it, last as `command`; not again before `ask_at`.
CREATE TABLE IF NOT EXISTS gaps (lane BIGINT, first BIGINT, last BIGINT, since FLOAT, asked INTEGER DEFAULT 0, ask_at FLOAT,
                                 command TEXT, PRIMARY KEY (lane, first));
CREATE TABLE IF NOT EXISTS lost (lane BIGINT, first BIGINT, last BIGINT, why TEXT);
CREATE TABLE IF NOT EXISTS epochs (gateway TEXT, epoch TEXT, previous TEXT, heard_at FLOAT, PRIMARY KEY (gateway, epoch));
CREATE TABLE IF NOT EXISTS catalogs (gateway TEXT, catalog TEXT, part INTEGER, body TEXT, heard_at FLOAT,
                                     PRIMARY KEY (gateway, catalog, part));
-- The next place to read in each partition of the log.
CREATE TABLE IF NOT EXISTS places (topic TEXT, part INTEGER, next BIGINT NOT NULL, PRIMARY KEY (topic, part));
-- The work of each consumer, for who watches: written in the transaction that it counts.
CREATE TABLE IF NOT EXISTS counters (consumer TEXT PRIMARY KEY, messages BIGINT, records BIGINT, repeats BIGINT, at FLOAT);
-- What is acknowledged though it cannot be used, so that it does not come again for ever. Somebody looks at it.
CREATE TABLE IF NOT EXISTS aside (at FLOAT, routing_key TEXT, why TEXT, body TEXT);
""" + Operations.SCHEMA + Presence.SCHEMA


class Overtaken(RuntimeError):
    pass


class Lane:
    def __init__(self, key, highest):
        self.key, self.highest, self.before = key, highest, highest


class Db(Operations, Presence):
    """One a thread."""

    def __init__(self, engine, name="-"):
        self.engine, self.rows, self.name = engine, engine.rows, name

    def close(self):
        self.engine.close()

    def store(self, messages, also=lambda: None):
        """Messages as (routing key, body) in one transaction, each whole or not at all. Returns the lanes that they belong to, and
        what they answer as (order, device, result). What a gateway sends stops nothing: a message that cannot be stored is set
        aside, in a transaction of its own if only the db could tell. `also` is done in the last transaction."""
        good, bad = [], []
        for key, body in messages:
            try:
                prefix, gateway, kind = key.split(".", 2)
                if prefix != PREFIX:
                    raise BadMessage(f"no message of {PREFIX}: {key}")
                text = body.decode()
                good.append((gateway, kind, records_of(gateway, text) if kind in ("readings", "results", "events") else text))
            except (ValueError, BadMessage) as error:
                bad.append((key, f"{type(error).__name__}: {error}", body))
        try:
            with self.engine.transaction(), self._lanes(good) as lanes:
                answers = self._take_in(good, lanes)
                for row in bad:
                    self.put_aside(*row)
                also()
        except (LookupError, TypeError, ValueError, AttributeError, RecursionError, *self.engine.data_errors) as error:
            if len(messages) == 1:
                (key, body), = messages
                with self.engine.transaction():
                    self.put_aside(key, f"{type(error).__name__}: {error}", body)
                    also()
                return set(), []
            half = len(messages) // 2
            first, second = self.store(messages[:half]), self.store(messages[half:], also)
            return first[0] | second[0], first[1] + second[1]
        return {record.lane for record in self._records(good)}, answers

    @staticmethod
    def _records(messages):
        return [record for _gateway, _kind, records in messages if isinstance(records, list) for record in records]

    @contextlib.contextmanager
    def _lanes(self, messages):
        """The lanes of these messages, locked in one order for all until the commit, so that two consumers cannot mix up one lane
        nor wait for each other in a circle."""
        names = set()
        for record in self._records(messages):
            names.update((record.lane, *(lane for lane, *_rest in record.mentions())))
        lanes = {name: Lane(*found) for name, found in self.engine.lock_lanes(sorted(names)).items()}
        yield lanes
        self.engine.set_highest([(lane.highest, lane.key) for lane in lanes.values() if lane.highest > lane.before])

    def _take_in(self, messages, lanes):
        records, answers = self._records(messages), []
        new = self._new(records, lanes)
        self._count(len(messages), len(new), len(records) - len(new))
        self.engine.insert_records([(lanes[r.lane].key, r.number, r) for r in new])
        numbers = {}
        for record in new:
            numbers.setdefault(record.lane, []).append(record.number)
        for lane, those in numbers.items():
            for first, last in ranges(sorted(those)):
                self._cover(lanes[lane], first, last)
        for record in new:
            for lane, first, last, why in record.mentions():
                self._cover(lanes[lane], first, last)
                if why is not None:
                    self.rows("INSERT INTO lost VALUES (?, ?, ?, ?)", lanes[lane].key, first, last, why)
            if record.lane[2] == "events":
                answers += self._event(record)
        for record in records:
            if record.lane[2] == "results":  # also a repeat: its command may be open again
                answers += self.answer(record.lane[0], record.content["command"], record.text)
        for gateway, kind, text in messages:
            if kind == "status":
                self.hear(gateway, parse(text), text)
            elif kind.split(".")[0] == "catalog":
                content = parse(text)
                self.rows("INSERT INTO catalogs VALUES (?, ?, ?, ?, ?) ON CONFLICT (gateway, catalog, part) DO UPDATE "
                          "SET body = excluded.body, heard_at = excluded.heard_at", gateway, a_text(content["catalog"]),
                          int(content.get("part", 1)), text, time.time())
            elif kind == "commands":  # of ours, back from metergate.unrouted: nobody is subscribed to it
                answers += self.no_such_gateway(gateway, a_text(parse(text)["id"]))
            elif isinstance(text, str) and kind != "receipts":
                raise BadMessage(f"no kind of message: {kind}")
        return answers

    def _count(self, messages, records, repeats):
        self.rows("INSERT INTO counters VALUES (?, ?, ?, ?, ?) ON CONFLICT (consumer) DO UPDATE SET "
                  "messages = counters.messages + excluded.messages, records = counters.records + excluded.records, "
                  "repeats = counters.repeats + excluded.repeats, at = excluded.at",
                  self.name, messages, records, repeats, time.time())

    def _new(self, records, lanes):
        """Those that are not here yet. A number above the highest of its lane is new; at the others the db has to look."""
        def place(record):
            return lanes[record.lane].key, record.number

        known = self.engine.known([place(r) for r in records if r.number <= lanes[r.lane].highest])
        new = []
        for record in records:
            if place(record) not in known:
                known[place(record)] = record.text
                new.append(record)
            elif known[place(record)] != record.text:
                self.put_aside("/".join(record.lane), "two contents under one id", record.text.encode())
        return new

    def _cover(self, lane, first, last):
        """From `first` to `last` nothing is owed any more. What lies between that and the highest so far is a gap: a question that
        a repeat, `records_dropped` or the result of a replay answers. The order of the calls does not matter."""
        known = lane.highest
        lane.highest = max(known, last)
        if first > known + 1:
            self.rows("INSERT INTO gaps (lane, first, last, since, ask_at) VALUES (?, ?, ?, ?, ?)", lane.key, known + 1, first - 1,
                      time.time(), time.time() + self.PATIENCE)
        if first > known:
            return
        for gap_first, gap_last, *rest in self.rows("DELETE FROM gaps WHERE lane = ? AND first <= ? AND last >= ? "
                                                    "RETURNING first, last, since, asked, ask_at, command", lane.key, last, first):
            for part in ((gap_first, first - 1), (last + 1, gap_last)):
                if part[0] <= part[1]:
                    self.rows("INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?)", lane.key, *part, *rest)

    def _event(self, record: Record):
        gateway, epoch, _name = record.lane
        event, detail = record.content["event"], record.content["detail"]
        if event == "session_lost":  # commands that waited at the broker are gone, not those that the gateway has
            self.send_again(gateway)
        if event == "started":
            before = detail["previous"] or {"epoch": None}
            self.rows("INSERT INTO epochs VALUES (?, ?, ?, ?)", gateway, epoch,
                      before["epoch"] and a_text(before["epoch"]), time.time())
            if detail["store"] == "new" or detail.get("commands") == "lost":
                return self.forgotten(gateway)
        return []

    def place_in_log(self, topic, part):
        self.rows("INSERT INTO places VALUES (?, ?, 0) ON CONFLICT DO NOTHING", topic, part)
        return self.rows("SELECT next FROM places WHERE topic = ? AND part = ?", topic, part)[0][0]

    def move_in_log(self, topic, places):
        """By part: (from, to). RuntimeError: another one has moved it, and has stored what is between."""
        for part, (before, after) in sorted(places.items()):
            if not self.rows("UPDATE places SET next = ? WHERE topic = ? AND part = ? AND next = ? RETURNING 1", after, topic, part,
                             before):
                raise Overtaken(f"another consumer has stored {topic}/{part} from {before} on")

    def put_aside(self, routing_key, why, body):
        text = body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        self.rows("INSERT INTO aside VALUES (?, ?, ?, ?)", time.time(), routing_key, why, text)

    def upto(self, lane):
        """The number for a receipt: everything up to it is here, or known not to come."""
        return self.rows("SELECT coalesce((SELECT min(first) - 1 FROM gaps WHERE gaps.lane = lanes.lane), highest) "
                         "FROM lanes WHERE gateway = ? AND epoch = ? AND name = ?", *lane)[0][0]

    def gaps(self):
        """The open questions as (gateway, epoch, lane, first, last)."""
        return self.rows("SELECT gateway, epoch, name, first, last FROM gaps JOIN lanes ON lanes.lane = gaps.lane "
                         "ORDER BY gateway, epoch, name, first")

    def account(self):
        """By lane as (gateway, epoch, lane, records that are here, the highest number)."""
        return self.rows("SELECT gateway, epoch, name, (SELECT count(*) FROM records WHERE records.lane = lanes.lane), highest "
                         "FROM lanes ORDER BY gateway, epoch, name")

    def epochs(self, gateway):
        """From the oldest: the order of a gateway's records is epoch, then number; never arrival."""
        before = dict(self.rows("SELECT epoch, previous FROM epochs WHERE gateway = ? ORDER BY heard_at", gateway))
        chain = [epoch for epoch, previous in before.items() if previous not in before]
        for epoch in chain:  # grows while it is walked; a store that was copied has two that follow it
            chain += [later for later, previous in before.items() if previous == epoch]
        return chain


def open_db(place, name="-", **how):
    """`place` is a file for SQLite, or postgresql://... Nothing has to be set up: the tables are made. `name`: whose work it is."""
    if str(place).startswith("postgresql://"):
        from backend.postgres import Postgres as Engine  # only who uses it needs psycopg2
    else:
        from backend.sqlite import Sqlite as Engine
    return Db(Engine(str(place), SCHEMA, **how), name)
