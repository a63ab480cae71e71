"""The db: the only place where something is known for good. Any database with transactions and unique keys will do."""
import json
import sqlite3
import time
from decimal import Decimal

SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (device TEXT PRIMARY KEY, gateway TEXT, meter TEXT, UNIQUE (gateway, meter));
-- The unique key is what makes a repeat harmless. It is kept for ever: a repeat may come at any time, from a backup, too.
CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings (record TEXT, device TEXT, at TEXT, point TEXT, value TEXT);
-- A lane is GATEWAY/EPOCH/NAME, the part of a record's id before its number. Numbers start at 1 and have no holes.
CREATE TABLE IF NOT EXISTS lanes (lane TEXT PRIMARY KEY, highest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS gaps (lane TEXT, first INTEGER, last INTEGER, since REAL, asked INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS lost (lane TEXT, first INTEGER, last INTEGER, why TEXT);
CREATE TABLE IF NOT EXISTS epochs (gateway TEXT, epoch TEXT, previous TEXT, PRIMARY KEY (gateway, epoch));
-- What was asked of gateways. Open until it has a result; after `pause` seconds without one it is sent again.
CREATE TABLE IF NOT EXISTS operations (command TEXT PRIMARY KEY, gateway TEXT, orderid TEXT, device TEXT, body TEXT, asked_at REAL,
                                       repeat_at REAL, pause REAL, sent INTEGER DEFAULT 0, answered_at REAL, result TEXT);
CREATE TABLE IF NOT EXISTS gateways (gateway TEXT PRIMARY KEY, status TEXT);
CREATE TABLE IF NOT EXISTS catalogs (gateway TEXT, catalog TEXT, body TEXT, PRIMARY KEY (gateway, catalog));
-- What is acknowledged though it cannot be used, so that it does not come again for ever. Somebody looks at it.
CREATE TABLE IF NOT EXISTS aside (at REAL, routing_key TEXT, why TEXT, body TEXT);
"""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0


class BadMessage(ValueError):
    pass


def parse(text):
    """A meter's value is an exact decimal: never let it pass through a float."""
    return json.loads(text, parse_float=Decimal)


def records_of(text):
    """Each record of a message with its exact text: a repeat has the same bytes, though it may be grouped otherwise."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    try:
        at = text.index("[", text.index('"records"')) + 1
        while text[at] != "]":
            record, end = decoder.raw_decode(text, at)
            yield text[at:end], record
            at = end + 1 if text[end] == "," else end
    except (ValueError, IndexError) as error:
        raise BadMessage(f"not a message of records: {error}") from error


class Db:
    """One a thread."""

    def __init__(self, path):
        self.sql = sqlite3.connect(path, isolation_level=None, timeout=30)
        self.sql.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)

    def rows(self, query, *values):
        return self.sql.execute(query, values).fetchall()

    def store(self, gateway, text):
        """A message in one transaction. Returns the lanes it belongs to and what it answers, as (order, device, result)."""
        lanes, answers = set(), []
        with self.sql:
            self.sql.execute("BEGIN IMMEDIATE")
            for raw, record in records_of(text):
                try:
                    lane, number = record["id"].rsplit("/", 1)
                    owner, _epoch, name = lane.split("/")
                    number = int(number)
                except (TypeError, KeyError, ValueError) as error:
                    raise BadMessage(f"a record without a proper id: {raw[:100]}") from error
                if owner != gateway:  # the broker vouches for the topic only, not for what a gateway writes into its messages
                    raise BadMessage(f"a record of {owner} on a topic of {gateway}")
                lanes.add(lane)
                if self.sql.execute("INSERT OR IGNORE INTO records VALUES (?, ?)", (record["id"], raw)).rowcount:
                    self._cover(lane, number, number)
                    answers += self._take_in(gateway, name, record)
                elif self.rows("SELECT 1 FROM records WHERE id = ? AND body != ?", record["id"], raw):
                    self._put_aside(lane, "two contents under one id", raw)
                if name == "results":  # also a repeat: its command may be open again
                    answers += self._answer(gateway, record["command"], raw)
        return lanes, answers

    def _take_in(self, gateway, name, record):
        device = self.rows("SELECT device FROM devices WHERE gateway = ? AND meter = ?", gateway, record.get("meter"))
        for point, value in record.get("values", {}).items():
            self.sql.execute("INSERT INTO readings VALUES (?, ?, ?, ?, ?)",
                             (record["id"], device[0][0] if device else None, record["at"], point,
                              value if value is None else str(value)))
        for hole in record.get("missing", []) if record.get("op") == "replay" else []:
            self._lose(f"{gateway}/{hole['epoch']}/{hole['lane']}", hole["from_seq"], hole["to_seq"], hole["why"])
        return self._event(gateway, record["event"], record["detail"], record["id"].split("/")[1]) if name == "events" else []

    def _event(self, gateway, event, detail, epoch):
        if event == "records_dropped":
            self._lose(f"{gateway}/{detail['epoch']}/{detail['lane']}", detail["from_seq"], detail["to_seq"], "dropped")
        if event == "session_lost":  # commands that waited at the broker are gone, not those that the gateway has
            self._send_again(gateway)
        if event == "started":
            before = detail["previous"] or {"epoch": None, "last": {}}
            self.sql.execute("INSERT INTO epochs VALUES (?, ?, ?)", (gateway, epoch, before["epoch"]))
            for name, last in before["last"].items():  # where the epoch before ended: only now a loss at its end can be seen
                if last is not None:
                    self._cover(f"{gateway}/{before['epoch']}/{name}", last + 1, last)
            if detail["store"] == "new" or detail.get("commands") == "lost":
                return self._forgotten(gateway)
        return []

    def _forgotten(self, gateway):
        """The gateway no longer knows its commands: what reads is sent again, what writes may have been done or not."""
        unknown = json.dumps({"status": "unknown", "error": {"code": "interrupted", "message": "the gateway lost its store"}})
        self._send_again(gateway)
        writes = self.rows("SELECT command FROM operations WHERE gateway = ? AND result IS NULL AND body ->> 'op' = 'write'",
                           gateway)
        return [answer for command, in writes for answer in self._answer(gateway, command, unknown)]

    def _send_again(self, gateway):
        self.sql.execute("UPDATE operations SET repeat_at = 0 WHERE gateway = ? AND result IS NULL", (gateway,))

    def _cover(self, lane, first, last):
        """From `first` to `last` nothing is owed any more. What lies between that and the highest so far is a gap: a question
        that a repeat, `records_dropped` or the result of a replay answers."""
        highest = (self.rows("SELECT highest FROM lanes WHERE lane = ?", lane) or [(0,)])[0][0]
        if first > highest + 1:
            self.sql.execute("INSERT INTO gaps VALUES (?, ?, ?, ?, 0)", (lane, highest + 1, first - 1, time.time()))
        self.sql.execute("INSERT INTO lanes VALUES (?, ?) ON CONFLICT DO UPDATE SET highest = max(highest, excluded.highest)",
                         (lane, last))
        for row, gap_first, gap_last in self.rows(
                "SELECT rowid, first, last FROM gaps WHERE lane = ? AND first <= ? AND last >= ?", lane, last, first):
            for part in ((gap_first, first - 1), (last + 1, gap_last)):
                if part[0] <= part[1]:
                    self.sql.execute("INSERT INTO gaps SELECT lane, ?, ?, since, asked FROM gaps WHERE rowid = ?", (*part, row))
            self.sql.execute("DELETE FROM gaps WHERE rowid = ?", (row,))

    def _lose(self, lane, first, last, why):
        self._cover(lane, first, last)
        self.sql.execute("INSERT INTO lost VALUES (?, ?, ?, ?)", (lane, first, last, why))

    def _answer(self, gateway, command, result):
        """Whom a result is for. Only the gateway that was asked can answer, and the first answer stays. Also for a repeat: Redis
        may not have heard of it."""
        return self.rows("UPDATE operations SET result = coalesce(result, ?), answered_at = coalesce(answered_at, ?) "
                         "WHERE command = ? AND gateway = ? RETURNING orderid, device, result",
                         result, time.time(), command, gateway)

    def _put_aside(self, routing_key, why, body):
        self.sql.execute("INSERT INTO aside VALUES (?, ?, ?, ?)", (time.time(), routing_key, why, body))

    def upto(self, lane):
        """The number for a receipt: everything up to it is here, or known not to come."""
        return self.rows("SELECT coalesce((SELECT min(first) - 1 FROM gaps WHERE gaps.lane = lanes.lane), highest) "
                         "FROM lanes WHERE lane = ?", lane)[0][0]

    def put_aside(self, routing_key, why, body):
        self._put_aside(routing_key, why, body.decode(errors="replace"))

    def no_such_gateway(self, gateway, command):
        return self._answer(gateway, command, json.dumps({"status": "failed", "error": {
            "code": "no_such_gateway", "message": f"no gateway '{gateway}' ever subscribed at the broker"}}))

    def state(self, gateway, kind, text):
        if kind == "status":
            self.sql.execute("INSERT OR REPLACE INTO gateways VALUES (?, ?)", (gateway, text))
        else:
            self.sql.execute("INSERT OR REPLACE INTO catalogs VALUES (?, ?, ?)", (gateway, parse(text)["catalog"], text))

    def open(self, gateway, command, order=None, device=None):
        now = time.time()
        self.sql.execute("INSERT OR IGNORE INTO operations VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, NULL, NULL)", (
            command["id"], gateway, order, device, json.dumps(command), now, now + FIRST_PAUSE, FIRST_PAUSE))

    def due(self, now):
        """Open commands that had no result in time. Each is next due after a pause twice as long."""
        return self.rows("UPDATE operations SET repeat_at = ? + pause, pause = min(2 * pause, ?) "
                         "WHERE result IS NULL AND repeat_at <= ? RETURNING gateway, body", now, LONGEST_PAUSE, now)

    def epochs(self, gateway):
        """From the oldest: the order of a gateway's records is epoch, then number; never arrival."""
        before = dict(self.rows("SELECT epoch, previous FROM epochs WHERE gateway = ? ORDER BY rowid", gateway))
        chain = [epoch for epoch, previous in before.items() if previous not in before]
        for epoch in chain:  # grows while it is walked; a store that was copied has two that follow it
            chain += [later for later, previous in before.items() if previous == epoch]
        return chain
