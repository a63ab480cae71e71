"""What runs on a backend's machines. `python3 -m backend COMMAND --help` in the folder tests."""
import argparse
import json
import logging
import pathlib
import signal
import sys
import threading

from backend import ONE_CONSUMER, UNROUTED, shards, web
from backend.consumer import Consumer
from backend.orders import Orders
from backend.service import Backend
from backend.settings import Settings


def stop_on_signal():
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def consume(given, settings):
    own, others = ONE_CONSUMER, ()
    if given.shards:
        own, others = shards.of_consumer(given.number, given.consumers, given.shards)
    Consumer(settings.connect, lambda: settings.open_db(f"consumer {given.number}"), Orders(settings.redis_client()), given.receipts,
             own, others).run(stop_on_signal())


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
    given = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.INFO)
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    return given.action(given, Settings.of_file(given.settings) if "settings" in given else None)


if __name__ == "__main__":
    sys.exit(main())
