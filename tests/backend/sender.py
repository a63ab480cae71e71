"""Commands to gateways. At least once from here, once there: a gateway executes a command id once, however often it comes."""
import contextlib
import itertools
import logging
import threading
import time
import uuid

import pika

from backend import EXCHANGE, PREFIX

PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")  # survives a restart of the broker
DEADLINE = 5.0  # seconds for a broker's confirm
LOG = logging.getLogger(__name__)


class Commands:
    """What a user's request does: it is accepted when it is in the db. Nothing here waits for a broker."""

    def __init__(self, db, wake=lambda: None):
        self.db, self.wake = db, wake

    def send(self, gateway, command, **operation):
        command = {"id": uuid.uuid4().hex, **command}
        self.db.open(gateway, command, **operation)
        self.wake()
        return command["id"]


class Sender(threading.Thread):
    """Takes what is due from the db to the broker, and notes each confirm. A broker that answers nothing within the deadline (a
    cluster without a majority takes a message and says neither yes nor no) costs this thread its connection, and nobody else
    anything: what has no confirm is due again."""

    def __init__(self, nodes, open_db, replay=False):
        """`nodes`: parameters of connections, one a node of the broker; they are tried in turn."""
        super().__init__(name="sender", daemon=True)
        self.nodes, self.open_db, self.replay = itertools.cycle(nodes), open_db, replay
        self.over, self.news = threading.Event(), threading.Event()
        self.failing, self.channel = False, None

    def run(self):
        while not self.over.is_set():
            try:
                self.db = self.open_db()
            except Exception as error:
                self._fail(error)
            else:
                self._serve()
                self.db.close()
            self.over.wait(0.5)

    def _serve(self):
        """One connection to the broker, from its begin to its end."""
        self.channel, self.unconfirmed, self.number = None, {}, 0  # unconfirmed, by delivery tag: (command, since)
        self.connection = pika.SelectConnection(next(self.nodes), self._on_open, self._on_failure, self._on_failure)
        self.connection.ioloop.start()
        self.connection.ioloop.close()
        for command, _since in self.unconfirmed.values():
            with contextlib.suppress(Exception):  # it is due again later in any case
                self.db.not_sent(command, time.time())

    def _fail(self, error):
        if not self.failing and not self.over.is_set():
            LOG.warning("sender: %r; trying again", error)
        self.failing = True

    def wake(self):
        self.news.set()

    def up(self):
        return self.channel is not None and self.channel.is_open and not self.failing

    def close(self):
        self.over.set()
        self.join()

    def _on_open(self, connection):
        connection.channel(on_open_callback=self._on_channel)

    def _on_failure(self, _connection, error):
        self._fail(error)
        self.connection.ioloop.stop()

    def _on_channel(self, channel):
        channel.confirm_delivery(self._on_confirm)
        self.channel = channel
        channel.add_on_close_callback(lambda _channel, _why: self._end())
        self._step()

    def _step(self):
        now = time.time()
        try:
            if self.over.is_set() or any(now - since > DEADLINE for _command, since in self.unconfirmed.values()):
                return self._end()
            if self.replay:
                for gap in self.db.gaps_to_ask(now):
                    self.db.ask(now, *gap)
            if len(self.unconfirmed) < 500:
                for command, gateway, body in self.db.due(now):
                    self._publish(now, command, gateway, body)
        except Exception as error:  # the db; what is not sent is due again
            self._fail(error)
            return self._end()
        self.news.clear()
        return self._again(0.0)

    def _again(self, waited):
        """Looks every half second, and at once when there are news."""
        if self.over.is_set() or self.news.is_set() or waited >= 0.5:
            self._step()
        else:
            self.connection.ioloop.call_later(0.02, lambda: self._again(waited + 0.02))

    def _publish(self, now, command, gateway, body):
        # Not `mandatory`: with an alternate exchange nothing ever comes back. See metergate.unrouted in db.py.
        self.channel.basic_publish(EXCHANGE, f"{PREFIX}.{gateway}.commands", body, PERSISTENT)
        self.number += 1
        self.unconfirmed[self.number] = command, now

    def _on_confirm(self, frame):
        last, confirmed = frame.method.delivery_tag, frame.method.NAME == "Basic.Ack"
        tags = [tag for tag in self.unconfirmed if tag <= last] if frame.method.multiple else [last]
        for tag in tags:
            command, _since = self.unconfirmed.pop(tag)
            if confirmed:
                self.failing = False
                self.db.sent(command, time.time())
            else:
                self.db.not_sent(command, time.time())

    def _end(self):
        if self.connection.is_open:
            self.connection.close()
        self.connection.ioloop.call_later(1, self.connection.ioloop.stop)  # also if the broker does not answer to that
