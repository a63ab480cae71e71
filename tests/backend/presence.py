"""Which gateways are there. A status is a hint with a time: the last will may come late, or never."""
import time

from backend.message import a_text

SAY_ONLINE = 300.0  # a gateway says `online` this often
SILENT_AFTER = 2 * SAY_ONLINE + 60


class Presence:
    """A part of Db."""
    SCHEMA = """
CREATE TABLE IF NOT EXISTS gateways (gateway TEXT PRIMARY KEY, state TEXT, at TEXT, since TEXT, heard_at FLOAT, status TEXT);
"""

    def hear(self, gateway, status, text):
        """A will has `at` = `since` = the connect that it belongs to. One of an earlier connect than the last that was heard of
        says nothing any more: the gateway was back before the broker sent it."""
        state, at, since = (a_text(status[name]) for name in ("state", "at", "since"))
        self.rows("INSERT INTO gateways VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (gateway) DO UPDATE SET state = excluded.state, "
                  "at = excluded.at, since = excluded.since, heard_at = excluded.heard_at, status = excluded.status "
                  "WHERE excluded.state = 'online' OR excluded.since >= gateways.since",
                  gateway, state, at, since, time.time(), text)

    def presence(self, now, gateway=None):
        """As (gateway, state, at, since): `silent` is the watchdog's word for one that said `online` and then no more, though its
        will never came."""
        return self.rows("SELECT gateway, CASE WHEN state = 'online' AND heard_at < ? THEN 'silent' ELSE state END, at, since "
                         "FROM gateways WHERE ? IS NULL OR gateway = ? ORDER BY gateway", now - SILENT_AFTER, gateway, gateway)
