"""What was asked of gateways: kept from the moment it is asked until it has a result, however often it has to be sent."""
import datetime
import json
import time
import uuid

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 3600.0


def time_text(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class Operations:
    """A part of Db."""
    SCHEMA = """
-- What a user asked for: an operation for each device. `callback` is called once there are all results.
CREATE TABLE IF NOT EXISTS orders (orderid TEXT PRIMARY KEY, asked_at FLOAT, callback TEXT, call_at FLOAT, pause FLOAT, called_at FLOAT);
CREATE INDEX IF NOT EXISTS orders_to_call ON orders (call_at) WHERE callback IS NOT NULL AND called_at IS NULL;
-- Open until it has a result. Due at `repeat_at`: at once when it is new, later after `pause` seconds without a result.
CREATE TABLE IF NOT EXISTS operations (command TEXT PRIMARY KEY, gateway TEXT, orderid TEXT, device TEXT, op TEXT, body TEXT,
                                       asked_at FLOAT, repeat_at FLOAT, pause FLOAT, sent INTEGER DEFAULT 0, sent_at FLOAT,
                                       answered_at FLOAT, result TEXT);
CREATE INDEX IF NOT EXISTS operations_open ON operations (repeat_at) WHERE result IS NULL;
CREATE INDEX IF NOT EXISTS operations_of_order ON operations (orderid);
CREATE INDEX IF NOT EXISTS operations_of_gateway ON operations (gateway) WHERE result IS NULL;
"""
    PATIENCE = 10.0  # seconds that a gap has to close by itself

    def order(self, devices, points=None, expires_in=None, callback=None):
        """Readings of devices, in one transaction: it is accepted when it is here, whatever the broker does. Returns the order's id.
        LookupError: there is no such device."""
        now, order = time.time(), uuid.uuid4().hex
        with self.engine.transaction():
            self.rows("INSERT INTO orders VALUES (?, ?, ?, ?, ?, NULL)", order, now, callback, now, 1.0)
            for device in devices:
                place = self.rows("SELECT gateway, meter FROM devices WHERE device = ?", device)
                if not place:
                    raise LookupError(f"no device '{device}'")
                command = {"id": uuid.uuid4().hex, "op": "read", "meter": place[0][1]}
                if points:
                    command["points"] = points
                if expires_in is not None:
                    command["expires_at"] = time_text(now + expires_in)
                self.open(place[0][0], command, order=order, device=device)
        return order

    def to_call(self, now):
        """Orders that are complete and whose user is still to be told, as (order, callback). Each is next due after a pause."""
        return self.rows(
            "UPDATE orders SET call_at = ? + pause, pause = CASE WHEN 2 * pause < ? THEN 2 * pause ELSE ? END "
            "WHERE orderid IN (SELECT orderid FROM orders WHERE callback IS NOT NULL AND called_at IS NULL AND call_at <= ? AND NOT "
            "EXISTS (SELECT 1 FROM operations WHERE operations.orderid = orders.orderid AND result IS NULL) "
            f"LIMIT 50 {self.engine.SKIP_LOCKED}) RETURNING orderid, callback", now, LONGEST_PAUSE, LONGEST_PAUSE, now)

    def called(self, order, now):
        self.rows("UPDATE orders SET called_at = ? WHERE orderid = ?", now, order)

    def open(self, gateway, command, order=None, device=None):
        """From here on it will be sent: an order is accepted when this is committed."""
        now = time.time()
        self.rows("INSERT INTO operations (command, gateway, orderid, device, op, body, asked_at, repeat_at, pause) "
                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", command["id"], gateway, order, device,
                  command.get("op"), json.dumps(command), now, now, FIRST_PAUSE)

    def due(self, now, most=500):
        """Open commands that are new or had no result in time, as (command, gateway, body). Each is next due after a pause twice as
        long. Several senders do not take the same one."""
        return self.rows(
            "UPDATE operations SET repeat_at = ? + pause, pause = CASE WHEN 2 * pause < ? THEN 2 * pause ELSE ? END "
            "WHERE command IN (SELECT command FROM operations WHERE result IS NULL AND repeat_at <= ? ORDER BY repeat_at LIMIT ? "
            f"{self.engine.SKIP_LOCKED}) RETURNING command, gateway, body", now, LONGEST_PAUSE, LONGEST_PAUSE, now, most)

    def sent(self, command, now):
        """The broker has confirmed it: it is on its disk."""
        self.rows("UPDATE operations SET sent = sent + 1, sent_at = ? WHERE command = ?", now, command)

    def not_sent(self, command, now):
        """Whether the broker has it is not known: again soon, with the same id."""
        self.rows("UPDATE operations SET repeat_at = ?, pause = ? WHERE command = ? AND result IS NULL", now + 1, FIRST_PAUSE, command)

    def send_again(self, gateway):
        self.rows("UPDATE operations SET repeat_at = 0 WHERE gateway = ? AND result IS NULL", gateway)

    def answer(self, gateway, command, result):
        """Whom a result is for, as (order, device, result). Only the gateway that was asked can answer, and the first answer
        stays. Also for a repeat: whoever polls may not have heard of it."""
        return self.rows("UPDATE operations SET result = coalesce(result, ?), answered_at = coalesce(answered_at, ?) "
                         "WHERE command = ? AND gateway = ? RETURNING orderid, device, result",
                         result, time.time(), command, gateway)

    def forgotten(self, gateway):
        """The gateway no longer knows its commands: what reads is sent again, what writes may have been done or not."""
        unknown = json.dumps({"status": "unknown", "error": {"code": "interrupted", "message": "the gateway lost its store"}})
        self.send_again(gateway)
        writes = self.rows("SELECT command FROM operations WHERE gateway = ? AND result IS NULL AND op = 'write'", gateway)
        return [answer for command, in writes for answer in self.answer(gateway, command, unknown)]

    def no_such_gateway(self, gateway, command):
        """Nobody is subscribed to its commands. A gateway that was ever heard of is only away: its session may be lost, or its
        node is down. Then the command is sent again, as any other without a result."""
        if self.rows("SELECT 1 FROM gateways WHERE gateway = ?", gateway):
            return []
        return self.answer(gateway, command, json.dumps({"status": "failed", "error": {
            "code": "no_such_gateway", "message": f"no gateway '{gateway}' ever subscribed at the broker"}}))

    def answers(self, order):
        """By device: the result as text, or None while there is none. An unknown order: {}."""
        return dict(self.rows("SELECT device, result FROM operations WHERE orderid = ?", order))

    def gaps_to_ask(self, now, most=100):
        """Gaps that did not close by themselves, and whose last replay has ended without closing them. Oldest first."""
        return self.rows(
            "SELECT gaps.lane, gateway, epoch, name, first, last, asked FROM gaps JOIN lanes ON lanes.lane = gaps.lane "
            "WHERE ask_at <= ? AND NOT EXISTS (SELECT 1 FROM operations WHERE operations.command = gaps.command AND result IS NULL) "
            "ORDER BY ask_at LIMIT ?", now, most)

    def ask(self, now, lane, gateway, epoch, name, first, last, asked):
        """One replay for a gap. A replay that failed is asked again under a new id: the old one would only have its old result
        repeated. Its result tells what the gateway no longer has."""
        command = f"replay/{gateway}/{epoch}/{name}/{first}-{last}/{asked + 1}"
        with self.engine.transaction():
            self.open(gateway, {"id": command, "op": "replay", "epoch": epoch, "lane": name, "from_seq": first, "to_seq": last})
            self.rows("UPDATE gaps SET asked = asked + 1, command = ?, ask_at = ? WHERE lane = ? AND first = ? AND last = ?",
                      command, now + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(asked, 16)), lane, first, last)
