"""The db as a server: many consumers at once, months that can be taken off, the power of another machine."""
import contextlib
import datetime
import io

import psycopg2

SCHEMA = """
-- Both keys of a repeat are in the unique key, `at` too: a repeat has the same bytes. By month, so that old ones can be detached;
-- what has a wrong clock goes into the default partition.
CREATE TABLE IF NOT EXISTS records (lane BIGINT, seq BIGINT, at TIMESTAMPTZ, body TEXT NOT NULL, PRIMARY KEY (lane, seq, at))
  PARTITION BY RANGE (at);
CREATE TABLE IF NOT EXISTS records_default PARTITION OF records DEFAULT;
"""
# A row a record: the values are in its text, taken apart by whoever asks.
COLUMN = """
CREATE OR REPLACE VIEW readings AS SELECT l.gateway, d.device, r.at, v.key AS point, v.value
  FROM records r JOIN lanes l ON l.lane = r.lane AND l.name = 'readings'
  LEFT JOIN devices d ON d.gateway = l.gateway AND d.meter = r.body::jsonb ->> 'meter',
  LATERAL jsonb_each_text(r.body::jsonb -> 'values') v;
"""
# A row a value: five times the work, for what is queried all the time.
ROWS = """
CREATE TABLE IF NOT EXISTS readings (gateway TEXT, device TEXT, at TIMESTAMPTZ, point TEXT, value TEXT) PARTITION BY RANGE (at);
CREATE TABLE IF NOT EXISTS readings_default PARTITION OF readings DEFAULT;
"""
TAKE_APART = """
INSERT INTO readings SELECT l.gateway, d.device, n.at, v.key, v.value
  FROM new_records n JOIN lanes l ON l.lane = n.lane AND l.name = 'readings'
  LEFT JOIN devices d ON d.gateway = l.gateway AND d.meter = n.body::jsonb ->> 'meter',
  LATERAL jsonb_each_text(n.body::jsonb -> 'values') v
"""
# A consumer that freezes in a transaction must not hold its lanes for ever.
LIMITS = "-c idle_in_transaction_session_timeout=10s -c lock_timeout=20s -c timezone=UTC"
ONE_AT_A_TIME = 20261128  # the lock under which tables are made


class Postgres:
    SKIP_LOCKED = "FOR UPDATE SKIP LOCKED"
    JSON = "body::jsonb"  # the text of a record, for who asks for a part of it
    data_errors = (psycopg2.DataError, psycopg2.IntegrityError)

    def __init__(self, url, schema, values="column", patience=60):
        self.by_row = values == "rows"
        self.sql = psycopg2.connect(url, connect_timeout=5, options=f"{LIMITS} -c statement_timeout={patience}s")
        self.sql.autocommit = True
        self.cursor = self.sql.cursor()
        with self.transaction():
            self.cursor.execute("SELECT pg_advisory_xact_lock(%s)", (ONE_AT_A_TIME,))
            self.cursor.execute(SCHEMA + schema.replace("IDENTITY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))
            self.cursor.execute(ROWS if self.by_row else COLUMN)
            self._make_months(("records", "readings") if self.by_row else ("records",))
        if self.by_row:
            self.cursor.execute("CREATE TEMP TABLE new_records (lane BIGINT, seq BIGINT, at TIMESTAMPTZ, body TEXT) "
                                "ON COMMIT DELETE ROWS")

    def _make_months(self, tables):
        """From the month before to the month after the next. Each start of a process makes what is missing."""
        today = datetime.datetime.now(datetime.timezone.utc).date()
        for ahead in range(-1, 3):
            month = today.year * 12 + today.month - 1 + ahead
            first, end = (datetime.date(m // 12, m % 12 + 1, 1) for m in (month, month + 1))
            for table in tables:
                self.cursor.execute(f"CREATE TABLE IF NOT EXISTS {table}_{first:%Y_%m} PARTITION OF {table} "
                                    f"FOR VALUES FROM ('{first}') TO ('{end}')")

    def close(self):
        self.sql.close()

    def rows(self, query, *values):
        self.cursor.execute(query.replace("?", "%s"), values)
        return self.cursor.fetchall() if self.cursor.description else []

    @contextlib.contextmanager
    def transaction(self):
        self.cursor.execute("BEGIN")
        try:
            yield
            self.cursor.execute("COMMIT")
        except BaseException:
            if not self.sql.closed:
                with contextlib.suppress(psycopg2.Error):  # the connection may be what failed
                    self.cursor.execute("ROLLBACK")
            raise

    def lock_lanes(self, names):
        """By name: (key, highest number). Those that are new are made."""
        found = self._lock(names)
        missing = [name for name in names if name not in found]
        if missing:
            self.cursor.execute("INSERT INTO lanes (gateway, epoch, name) SELECT * FROM unnest(%s, %s, %s) "
                                "ON CONFLICT DO NOTHING", self._columns(missing))
            found.update(self._lock(missing))
        return found

    def _lock(self, names):
        if not names:
            return {}
        self.cursor.execute("SELECT l.gateway, l.epoch, l.name, l.lane, l.highest FROM lanes l "
                            "JOIN unnest(%s, %s, %s) n (gateway, epoch, name) USING (gateway, epoch, name) "
                            "ORDER BY l.gateway, l.epoch, l.name FOR UPDATE OF l", self._columns(names))
        return {tuple(row[:3]): row[3:] for row in self.cursor.fetchall()}

    @staticmethod
    def _columns(rows):
        return tuple(list(column) for column in zip(*rows))

    def set_highest(self, lanes):
        if lanes:
            self.cursor.execute("UPDATE lanes SET highest = n.highest FROM unnest(%s, %s) n (highest, lane) "
                                "WHERE lanes.lane = n.lane", self._columns(lanes))

    def known(self, places):
        """By (lane, number): the text of the records that are here."""
        if not places:
            return {}
        self.cursor.execute("SELECT lane, seq, body FROM records JOIN unnest(%s, %s) n (lane, seq) USING (lane, seq)",
                            self._columns(places))
        return {(lane, seq): body for lane, seq, body in self.cursor.fetchall()}

    def insert_records(self, new):
        """As (lane, number, record)."""
        if not new:
            return
        lines = io.StringIO("".join(f"{lane}\t{number}\t{record.at}\t{self._escaped(record.text)}\n" for lane, number, record in new))
        if not self.by_row:
            self.cursor.copy_expert("COPY records FROM STDIN", lines)
            return
        self.cursor.copy_expert("COPY new_records FROM STDIN", lines)
        self.cursor.execute("INSERT INTO records SELECT * FROM new_records")
        self.cursor.execute(TAKE_APART)

    @staticmethod
    def _escaped(text):
        """For COPY."""
        for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
            text = text.replace(plain, escaped)
        return text
