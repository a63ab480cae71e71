"""The db in one file: nothing to set up, one writer at a time. Right for some thousand records a second."""
import contextlib
import json
import sqlite3

SCHEMA = """
-- The unique key is what makes a repeat harmless. It is kept for ever: a repeat may come at any time, from a backup, too.
CREATE TABLE IF NOT EXISTS records (lane INTEGER, seq INTEGER, at TEXT, body TEXT NOT NULL, PRIMARY KEY (lane, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS readings (gateway TEXT, device TEXT, at TEXT, point TEXT, value TEXT);
"""


def text_of(value):
    """A value as text, every digit of it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {text_of(part)}" for name, part in value.items()) + "}"
    return value if value is None or isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else str(value)


class Sqlite:
    SKIP_LOCKED = ""  # there is one writer at a time
    JSON = "body"  # the text of a record, for who asks for a part of it
    data_errors = (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError, OverflowError)

    def __init__(self, path, schema, patience=30):
        self.sql = sqlite3.connect(path, isolation_level=None, timeout=patience, check_same_thread=False)
        self.sql.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA +
                               schema.replace("IDENTITY", "INTEGER PRIMARY KEY"))

    def close(self):
        self.sql.close()

    def rows(self, query, *values):
        return self.sql.execute(query, values).fetchall()

    @contextlib.contextmanager
    def transaction(self):
        self.sql.execute("BEGIN IMMEDIATE")
        with self.sql:
            yield

    def lock_lanes(self, names):
        """By name: (key, highest number). Those that are new are made."""
        self.sql.executemany("INSERT INTO lanes (gateway, epoch, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", names)
        return {name: self.rows("SELECT lane, highest FROM lanes WHERE gateway = ? AND epoch = ? AND name = ?", *name)[0]
                for name in names}

    def set_highest(self, lanes):
        self.sql.executemany("UPDATE lanes SET highest = ? WHERE lane = ?", lanes)

    def known(self, places):
        """By (lane, number): the text of the records that are here."""
        found = ((place, self.rows("SELECT body FROM records WHERE lane = ? AND seq = ?", *place)) for place in places)
        return {place: rows[0][0] for place, rows in found if rows}

    def insert_records(self, new):
        """As (lane, number, record)."""
        self.sql.executemany("INSERT INTO records VALUES (?, ?, ?, ?)",
                             ((lane, number, record.at, record.text) for lane, number, record in new))
        for _lane, _number, record in new:
            gateway, values = record.lane[0], record.content.get("values") if record.lane[2] == "readings" else None
            if values:
                device = self.rows("SELECT device FROM devices WHERE gateway = ? AND meter = ?", gateway, record.content.get("meter"))
                self.sql.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?)", (
                    (gateway, device[0][0] if device else None, record.at, point, text_of(value)) for point, value in values.items()))
