"""Records as many gateways would send them, by AMQP: each lane in order, again from the first one without a confirm after the
connection is lost, with the same bytes. A process of its own:

    load.py FILE --gateways 100 --messages 10000 [--records 1] [--points 20] [--rate 500] [--first 0]      FILE holds {"amqp": URL}

SIGTERM ends it when all that it has published is confirmed. Prints one line at the end: {"messages":..., "records":..., "repeats":...,
"seconds":...}; `repeats` are messages that were published more than once."""
import argparse
import collections
import json
import signal
import sys
import time

import pika

AT = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime())
EPOCH = "10ad10ad10ad"
WINDOW = 2000  # messages without a confirm
PERSISTENT = pika.BasicProperties(delivery_mode=2)


class Gateways:
    """What they have to say, in the order in which they say it: (routing key, body)."""

    def __init__(self, first, count, records, points):
        self.names = [f"load-{n:05d}" for n in range(first, first + count)]
        self.records = records
        self.values = ",".join(f'"point_{n:02d}":{1000 + n}.{n:02d}' for n in range(points))

    def messages(self, count):
        for name in self.names:
            detail = '{"previous":null,"store":"new"}'
            yield f"metergate.{name}.events", self.message(name, "events", 0, f'"event":"started","detail":{detail}', 1)
        for n in range(count - len(self.names)):
            name, turn = self.names[n % len(self.names)], n // len(self.names)
            reading = f'"meter":"m1","quality":"good","values":{{{self.values}}}'
            yield f"metergate.{name}.readings", self.message(name, "readings", turn * self.records, reading, self.records)

    @staticmethod
    def message(name, lane, before, content, records):
        one = (f'{{"id":"{name}/{EPOCH}/{lane}/{n}","seq":{n},"at":"{AT}{n % 1000:03d}Z","clock":"synced",{content}}}'
               for n in range(before + 1, before + records + 1))
        return f'{{"gateway":"{name}","records":[{",".join(one)}]}}'


class Load:
    def __init__(self, url, messages, rate):
        self.url, self.messages, self.rate = url, iter(messages), rate
        self.waiting, self.again = collections.OrderedDict(), collections.deque()  # without a confirm, by tag; to be sent again
        self.sent = self.confirmed = self.repeats = 0
        self.ended = self.exhausted = False

    def run(self):
        self.begin = time.monotonic()
        while not self.ended:
            self.number = 0
            parameters = pika.URLParameters(self.url)
            parameters.socket_timeout, parameters.heartbeat = 5, 30
            self.connection = pika.SelectConnection(parameters, self._open, self._lost, self._lost)
            self.connection.ioloop.start()
            if not self.ended:
                time.sleep(0.3)
                self.repeats += len(self.waiting)
                self.again = collections.deque([*self.waiting.values(), *self.again])
                self.waiting.clear()
        return time.monotonic() - self.begin

    def _open(self, connection):
        connection.channel(on_open_callback=self._channel)

    def _lost(self, connection, _error):
        connection.ioloop.stop()

    def _channel(self, channel):
        self.channel = channel
        channel.confirm_delivery(self._confirm)
        self._publish()

    def _publish(self):
        if not self.channel.is_open:
            return
        allowed = float("inf") if not self.rate else self.rate * (time.monotonic() - self.begin) + 1
        for _ in range(200):
            if len(self.waiting) >= WINDOW or self.sent >= allowed:
                break
            message = self.again.popleft() if self.again else next(self.messages, None)
            if message is None:
                self.exhausted = True
                break
            self.channel.basic_publish("amq.topic", *message, PERSISTENT)
            self.number += 1
            self.sent += 1
            self.waiting[self.number] = message
        if self.exhausted and not self.waiting:
            self.ended = True
            self.connection.close()
            return
        self.connection.ioloop.call_later(0.002, self._publish)

    def end(self):
        self.messages = iter(())

    def _confirm(self, frame):
        assert frame.method.NAME == "Basic.Ack", frame
        last = frame.method.delivery_tag
        done = [last]
        if frame.method.multiple:
            done = []
            for tag in self.waiting:
                if tag > last:
                    break
                done.append(tag)
        for tag in done:
            del self.waiting[tag]
        self.confirmed += len(done)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("settings")
    for name, default in (("gateways", 100), ("messages", 10000), ("records", 1), ("points", 20), ("rate", 0), ("first", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with open(given.settings) as file:
        url = json.load(file)["amqp"]
    load = Load(url, Gateways(given.first, given.gateways, given.records, given.points).messages(given.messages), given.rate)
    signal.signal(signal.SIGTERM, lambda *_: load.end())
    seconds = load.run()
    readings = (load.confirmed - given.gateways) * given.records
    print(json.dumps({"messages": load.confirmed, "records": readings + given.gateways, "repeats": load.repeats,
                      "seconds": round(seconds, 2)}))


if __name__ == "__main__":
    sys.exit(main())
