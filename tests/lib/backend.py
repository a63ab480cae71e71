"""A backend as the contract wants it: persistent session, QoS 1, records known by id, commands with ids of its own."""

import json
import queue
import threading
import time
from decimal import Decimal

from peers import mqtt_client

LANES = ("readings", "results", "events")


def parse(payload):
    """Numbers stay the decimals that were sent."""
    return json.loads(payload, parse_float=Decimal, parse_int=Decimal)


class Backend:
    """`news` holds (topic's last word, record or message, is a repeat) in the order of arrival."""

    def __init__(self, port, gateway, prefix="metergate", client_id="backend"):
        self.root = "%s/%s/" % (prefix, gateway)
        self.records = {}
        self.arrived = {}  # by id: time.monotonic()
        self.repeats = 0
        self.catalogs = {}
        self.status = None
        self.news = queue.Queue()
        self._subscribed = threading.Event()
        self._client = mqtt_client(client_id)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(self.root + topic, 1) for topic in ("status", "catalog", *LANES)])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        if not self._subscribed.wait(10):
            raise RuntimeError("no SUBACK from the broker within 10 s")

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()

    def connected(self):
        return self._client.is_connected()

    def command(self, **command):
        """Sends it; its `id` is the caller's to choose."""
        self._client.publish(self.root + "commands", json.dumps(command), qos=1)

    def result(self, command, timeout):
        """The result of a command, or None after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for record in list(self.records.values()):
                if record.get("command") == command:
                    return record
            time.sleep(0.005)
        return None

    def highest(self):
        """By (epoch, lane): the highest number seen, and the numbers below it that never came."""
        seen = {}
        for record_id in list(self.records):
            _, epoch, lane, number = record_id.rsplit("/", 3)
            seen.setdefault((epoch, lane), set()).add(int(number))
        return {key: (max(numbers), sorted(set(range(1, max(numbers))) - numbers)) for key, numbers in seen.items()}

    def _take(self, _client, _data, message):
        topic = message.topic.rsplit("/", 1)[1]
        content = parse(message.payload)
        if topic == "catalog":
            self.catalogs[content["catalog"]] = content
        elif topic == "status":
            self.status = content
            self.news.put((topic, content, False))
        for record in content.get("records", ()):
            repeat = record["id"] in self.records
            self.repeats += repeat
            self.records.setdefault(record["id"], record)
            self.arrived.setdefault(record["id"], time.monotonic())
            self.news.put((topic, record, repeat))
