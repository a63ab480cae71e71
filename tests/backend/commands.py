"""Commands to gateways. At least once from here, once there: a gateway executes a command id once, however often it comes."""
import contextlib
import json
import uuid

import pika

from backend import EXCHANGE, PREFIX

PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")  # survives a restart of the broker


class Commands:
    """One a thread. `connect` makes a new connection to the broker."""

    def __init__(self, connect, db):
        self.connect, self.db = connect, db
        self.channel = None

    def send(self, gateway, command, **operation):
        """Durable in the db before the broker sees it: whatever breaks from here on, `repeat` sends it again."""
        command = {"id": uuid.uuid4().hex, **command}
        self.db.open(gateway, command, **operation)
        self.publish(gateway, json.dumps(command))
        return command["id"]

    def publish(self, gateway, body):
        """Whether the broker has confirmed it: then it is on its disk. If not, nothing is known, and it is due again later."""
        for _ in range(2):  # a connection that was idle for long may be gone
            try:
                if self.channel is None:
                    self.channel = self.connect().channel()
                    self.channel.confirm_delivery()
                # Not `mandatory`: with an alternate exchange nothing ever comes back. See metergate.unrouted in consumer.py.
                self.channel.basic_publish(EXCHANGE, f"{PREFIX}.{gateway}.commands", body, PERSISTENT)
            except (pika.exceptions.AMQPError, OSError):
                self.close()
            else:
                self.db.rows("UPDATE operations SET sent = sent + 1 WHERE command = ?", json.loads(body)["id"])
                return True
        return False

    def repeat(self, now):
        """No result in time: again, with the same id. Also what a crash kept from being sent at all."""
        for gateway, body in self.db.due(now):
            self.publish(gateway, body)

    def ask_again(self, now, patience=10.0):
        """One `replay` for each gap that did not close by itself: the gateway keeps what it has sent for a while. Its result tells
        what it no longer has. A gateway that rejects the command leaves the question open."""
        for row, lane, first, last in self.db.rows("SELECT rowid, lane, first, last FROM gaps WHERE asked = 0 AND since <= ?",
                                                   now - patience):
            gateway, epoch, name = lane.split("/")
            self.send(gateway, {"id": f"replay/{lane}/{first}-{last}", "op": "replay", "epoch": epoch, "lane": name,
                                "from_seq": first, "to_seq": last})
            self.db.rows("UPDATE gaps SET asked = 1 WHERE rowid = ?", row)

    def close(self):
        with contextlib.suppress(pika.exceptions.AMQPError, OSError):
            if self.channel is not None:
                self.channel.connection.close()
        self.channel = None
