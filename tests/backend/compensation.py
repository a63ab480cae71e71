"""Step 3 of a pile-up, after it: what is missing all the same is found by number and by time, and asked for by `replay`.

A job for quiet hours: paced, with progress and an end. What it could not ask for or get tonight it finds again tomorrow, also when
a gateway comes back days later: its replay waits in its queue meanwhile. What cannot be had is written down with its reason."""
import datetime
import json
import time

from backend.message import ranges
from backend.operations import time_text

SCHEMA = """
-- Slots of a poll from `first` to `last` that are missing, as seconds since 1970. `why`: NULL while it is a question.
CREATE TABLE IF NOT EXISTS windows (gateway TEXT, meter TEXT, poll TEXT, first FLOAT, last FLOAT, command TEXT, why TEXT,
                                    PRIMARY KEY (gateway, meter, poll, first));
"""
NOT_THERE = "the gateway has no reading of this time"
REASONS = {"slots_missed", "meter_silent", "bus_down", "bus_paused", "readings_lost", "started", "store_gone"}
AROUND = 120.0  # seconds before and after a window in which an event may tell why


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def every_of(text):
    """A duration of a catalog, as 250ms or 15m."""
    number = text.rstrip("mshd")
    return float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[text[len(number):]]


class Compensation:
    """`say` prints a line. `pace`: replays a second."""

    def __init__(self, db, pace=5.0, say=print):
        self.db, self.pause, self.say = db, 1 / pace, say
        for statement in SCHEMA.split(";")[:-1]:
            db.rows(statement)

    def run(self, begin, end, patience, stop=lambda: False):
        """For slots from `begin` to `end`, seconds since 1970, and for all numbers. Ends when all questions are answered, or
        nothing new has come for `patience` seconds. Returns the account, by name."""
        asked = self.ask_numbers(stop) + self.ask_windows(begin, end, stop)
        quiet_since, before = time.monotonic(), None
        while time.monotonic() - quiet_since < patience and not stop():
            self.close_windows()
            account = self.account()
            if account != before:
                self.say(", ".join(f"{value} {name}" for name, value in account.items()))
                quiet_since, before = time.monotonic(), account
            if not account["numbers open"] and not account["windows open"]:
                break
            time.sleep(0.5)
        return {"asked": asked, **self.account()}

    def ask_numbers(self, stop):
        """A replay for each gap that has none at work."""
        count = 0
        while not stop():
            gaps = self.db.gaps_to_ask(time.time())
            for gap in gaps:
                self.db.ask(time.time(), *gap)
                time.sleep(self.pause)
            count += len(gaps)
            if not gaps:
                break
        return count

    def ask_windows(self, begin, end, stop):
        count = 0
        for gateway, meter, poll, first, last, every in self.missing_windows(begin, end):
            if stop():
                break
            known = self.db.rows("SELECT 1 FROM windows WHERE gateway = ? AND meter = ? AND poll = ? AND first <= ? AND last >= ?",
                                 gateway, meter, poll, first, last)
            if known:  # asked before, or known not to be had
                continue
            command = f"compensate/{gateway}/{meter}/{poll}/{time_text(first)}/{int(time.time())}"
            with self.db.engine.transaction():
                self.db.open(gateway, {"id": command, "op": "replay", "meter": meter, "from": time_text(first - 1),
                                       "to": time_text(last + every + 1)})
                self.db.rows("INSERT INTO windows VALUES (?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING", gateway, meter, poll, first,
                             last, command)
            count += 1
            time.sleep(self.pause)
        return count

    def missing_windows(self, begin, end):
        """Neighbouring slots that should be there by the catalog that each gateway sent last, as (gateway, meter, poll, first, last,
        every)."""
        for gateway, text in self.db.rows(
                "SELECT gateway, body FROM catalogs c WHERE catalog = (SELECT catalog FROM catalogs l WHERE l.gateway = c.gateway "
                "ORDER BY heard_at DESC LIMIT 1) ORDER BY gateway, part"):
            for meter in json.loads(text)["meters"]:
                for poll in meter["polls"]:
                    every = every_of(poll["every"]) if poll["every"] != "0s" else 0  # back to back: no slots
                    if every:
                        here = self._slots(gateway, meter["id"], poll["name"], begin, end, every)
                        due = range(int(-(-begin // every)), int(-(-end // every)))
                        for first, last in ranges([k for k in due if k not in here]):
                            yield gateway, meter["id"], poll["name"], first * every, last * every, every

    def _slots(self, gateway, meter, poll, begin, end, every):
        body = self.db.engine.JSON
        rows = self.db.rows(f"SELECT {body} ->> 'slot' FROM records JOIN lanes ON lanes.lane = records.lane "
                            f"WHERE gateway = ? AND name = 'readings' AND at >= ? AND at < ? AND {body} ->> 'meter' = ? "
                            f"AND {body} ->> 'poll' = ?", gateway, time_text(begin - 1), time_text(end + every), meter, poll)
        return {round(seconds(slot) / every) for slot, in rows if slot}

    def close_windows(self):
        """A window whose replay has ended is answered: by its readings, or by the reason why there are none."""
        for gateway, meter, poll, first, last, result in self.db.rows(
                "SELECT windows.gateway, meter, poll, first, last, result FROM windows JOIN operations "
                "ON operations.command = windows.command WHERE why IS NULL AND result IS NOT NULL"):
            answer = json.loads(result)
            why = "came" if answer.get("sent") else NOT_THERE + self._said(gateway, first, last)
            if answer["status"] != "done":
                why = f"{answer['status']}: {answer['error']['code']}"
            self.db.rows("UPDATE windows SET why = ? WHERE gateway = ? AND meter = ? AND poll = ? AND first = ?", why, gateway, meter,
                         poll, first)

    def _said(self, gateway, first, last):
        """What the gateway told of that time, as far as it may be the reason."""
        body = self.db.engine.JSON
        said = self.db.rows(f"SELECT DISTINCT {body} ->> 'event' FROM records JOIN lanes ON lanes.lane = records.lane "
                            "WHERE gateway = ? AND name = 'events' AND at >= ? AND at < ?", gateway, time_text(first - AROUND),
                            time_text(last + AROUND))
        reasons = sorted({event for event, in said} & REASONS)
        return f"; it said {', '.join(reasons)}" if reasons else ""

    def account(self):
        def count(query):
            return int(self.db.rows(query)[0][0])

        return {"numbers open": count("SELECT coalesce(sum(last - first + 1), 0) FROM gaps"),
                "numbers lost": count("SELECT coalesce(sum(last - first + 1), 0) FROM lost"),
                "windows open": count("SELECT count(*) FROM windows WHERE why IS NULL"),
                "windows that came": count("SELECT count(*) FROM windows WHERE why = 'came'"),
                "windows that cannot be had": count("SELECT count(*) FROM windows WHERE why <> 'came'")}

    def reasons(self):
        """What cannot be had, as lines."""
        for gateway, epoch, name, first, last, why in self.db.rows(
                "SELECT gateway, epoch, name, first, last, why FROM lost JOIN lanes ON lanes.lane = lost.lane ORDER BY 1, 2, 3, 4"):
            yield f"{gateway}/{epoch}/{name} {first} to {last}: {why}"
        for gateway, meter, poll, first, last, why in self.db.rows(
                "SELECT gateway, meter, poll, first, last, why FROM windows WHERE why <> 'came' ORDER BY 1, 2, 3, 4"):
            yield f"{gateway}, meter {meter}, poll {poll}, {time_text(first)} to {time_text(last)}: {why}"
