"""What runs on a backend's machines. `python3 -m backend COMMAND --help` in the folder tests."""
import argparse
import json
import logging
import pathlib
import signal
import sys
import threading

from backend import ONE_CONSUMER, UNROUTED, compensation, mover, shards, sizing, web
from backend.consumer import Consumer
from backend.orders import Orders
from backend.service import Backend
from backend.settings import Settings


EMPTY = 3.0  # seconds without a message after which a queue counts as empty


def stop_on_signal():
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def consume(given, settings):
    own, others = ONE_CONSUMER, ()
    if given.shards:
        own, others = shards.of_consumer(given.number, given.consumers, given.shards)
    name, idle = f"consumer {given.number}", None
    if given.backlog:
        own, others = shards.of_consumer(given.number, given.consumers, given.backlog, "backlog")
        name = f"backlog {given.number}"
    if given.until_empty:
        idle = EMPTY
    Consumer(settings.connect, lambda: settings.open_db(name), Orders(settings.redis_client()), given.receipts,
             own, others, idle).run(stop_on_signal())


def bridge(given, settings):
    from backend import log  # only who has Kafka
    own, others = shards.of_consumer(given.number, given.consumers, given.shards)
    log.Bridge(settings.connect, settings.kafka, own, others).run(stop_on_signal())


def consume_log(given, settings):
    from backend import log
    log.LogConsumer(settings.kafka, lambda: settings.open_db(f"log consumer {given.number}"), Orders(settings.redis_client())).run(
        stop_on_signal())


def print_size(given, _settings):
    for name, value in sizing.size(given.gateways, given.meters, given.every, given.points, given.outage * 3600, given.together).items():
        print(f"  {name:<50}{sizing.readable(name, value):>16}")


def move(given, settings):
    with settings.connect() as connection:
        exchange = mover.make(connection.channel(), given.backlog)
    moved = mover.Mover(settings.nodes()[0], given.queue, exchange, say=say).run()
    say(f"moved {moved} messages to {exchange}; the queues are empty")


def compensate(given, settings):
    stop, job = stop_on_signal(), compensation.Compensation(settings.open_db("compensation"), given.pace, say)
    begin, end = (compensation.seconds(text) for text in (given.begin, given.end))
    account = job.run(begin, end, given.patience, stop.is_set)
    say("end: " + ", ".join(f"{value} {name}" for name, value in account.items()))
    for line in job.reasons():
        say(f"cannot be had: {line}")


def say(text):
    print(text, flush=True)


def serve(given, settings):
    backend = Backend(settings, given.receipts, given.replay, given.consume)
    queues = [*shards.queues(given.shards), UNROUTED] if given.shards else ONE_CONSUMER
    web.serve(backend.start(), given.host, given.port, queues)
    backend.close()


def print_openapi(_given, _settings):
    print(json.dumps(web.application(None, ()).openapi(), indent=2))


def print_definitions(given, _settings):
    print(shards.definitions(pathlib.Path(given.shipped).read_text(), given.shards))


def unbind(given, settings):
    with settings.connect() as connection:
        shards.unbind(connection.channel(), given.shards)


def main():
    parser = argparse.ArgumentParser(prog="python3 -m backend", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(action, name, text, settings=True):
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(action=action)
        if settings:
            made.add_argument("--settings", required=True, metavar="FILE", help="where everything is, see settings.py")
        return made

    one = command(consume, "consume", "take messages from the broker into the db, until SIGTERM")
    one.add_argument("--shards", type=int, metavar="COUNT", help="of so many queues behind the consistent-hash exchange; else of one "
                     "queue for each lane")
    one.add_argument("--number", type=int, default=0, help="of this consumer, from 0: which queues are its own")
    one.add_argument("--consumers", type=int, default=1, help="how many there are")
    one.add_argument("--receipts", action="store_true", help="send receipts, to gateways with --delivery receipt")
    one.add_argument("--backlog", type=int, metavar="COUNT", help="of the queues that `move` filled")
    one.add_argument("--until-empty", action="store_true", help="end when nothing comes any more")
    one = command(bridge, "bridge", "take messages from the broker into Kafka, until SIGTERM")
    one.add_argument("--shards", type=int, required=True, metavar="COUNT")
    one.add_argument("--number", type=int, default=0)
    one.add_argument("--consumers", type=int, default=1, help="how many bridges there are")
    one = command(consume_log, "consume-log", "take messages from Kafka into the db, until SIGTERM")
    one.add_argument("--number", type=int, default=0, help="for its name in the metrics")
    one = command(serve, "serve", "answer users by HTTP, send commands, call back; until SIGTERM")
    one.add_argument("--host", default="127.0.0.1")
    one.add_argument("--port", type=int, required=True)
    one.add_argument("--consume", action="store_true", help="with a consumer in this process")
    one.add_argument("--receipts", action="store_true", help="it sends receipts, to gateways with --delivery receipt")
    one.add_argument("--replay", action="store_true", help="ask gateways for what is missing")
    one.add_argument("--shards", type=int, metavar="COUNT", help="of these queues the metrics tell the length")
    command(print_openapi, "openapi", "print the description of the HTTP interface", settings=False)
    one = command(print_definitions, "definitions", "print the broker's definitions with shards", settings=False)
    one.add_argument("shipped", help="systemd/broker/rabbitmq/definitions.json")
    one.add_argument("--shards", type=int, required=True, metavar="COUNT")
    one = command(unbind, "unbind", "end the old way of messages, after the new one is bound; see shards.py")
    one.add_argument("--shards", type=int, metavar="COUNT", help="of this exchange; else of the queues for one consumer")
    one = command(print_size, "size", "messages, bytes, memory and disk before they come", settings=False)
    for name, kind, default, text in (("gateways", int, 100, ""), ("meters", int, 10, "of a gateway"), ("every", float, 60.0, "seconds"),
                                      ("points", int, 20, "of a reading"), ("outage", float, 8.0, "hours that no consumer works"),
                                      ("together", int, 1, "records of a message")):
        one.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (%(default)s)")
    one = command(move, "move", "step 1 of a pile-up: empty full queues into many")
    one.add_argument("queue", nargs="+")
    one.add_argument("--backlog", type=int, default=10, metavar="COUNT", help="queues to fill (%(default)s)")
    one = command(compensate, "compensate", "step 3: find what is missing by number and by time, and ask for it; for quiet hours")
    one.add_argument("begin", help="of the window of time, as 2026-11-27T00:00:00.000Z")
    one.add_argument("end")
    one.add_argument("--pace", type=float, default=5.0, help="replays a second (%(default)s)")
    one.add_argument("--patience", type=float, default=600.0, help="seconds without news after which it ends (%(default)s)")
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return given.action(given, Settings.of_file(given.settings) if "settings" in given else None)


if __name__ == "__main__":
    sys.exit(main())
