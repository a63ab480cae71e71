"""One stream of messages for many consumers, in order: a consistent-hash exchange in front of COUNT queues.

The exchange hashes the routing key metergate.GATEWAY.LANE, the only thing of a message that it can see: what comes by MQTT has
neither headers nor properties to hash. So a lane of a gateway is in one queue, but its lanes may be in different ones. That is
enough: numbers and order are a lane's own, a gateway itself sends results and events past its readings, and what one lane tells of
another (`records_dropped`, `started`, the result of a replay) has the same effect before and after. Who needs all of a gateway in
one place reads from Kafka, where the key is the gateway's id.

COUNT is in the names. So another count is another exchange, and the old queues are emptied before they go:
    1. print and import the new definitions: queues and bindings, nobody consumes yet
    2. unbind the old exchange or queues (first bind, then unbind: some messages come twice, none is lost)
    3. the old consumers run until their queues are empty; then start the new ones; delete what is old
In this order a lane keeps its order. In any other, records are late and not lost: the db orders by number.
"""
import json

from backend import EXCHANGE, ONE_CONSUMER, PREFIX, UNROUTED

KEYS = tuple(f"{PREFIX}.*.{kind}" for kind in ("readings", "results", "events", "status", "catalog", "catalog.*"))
QUEUE = {"x-queue-type": "quorum", "x-single-active-consumer": True, "x-delivery-limit": 1_000_000_000}
WEIGHT = "10"  # parts of the ring; 1 spreads 1,000 gateways over 8 queues as 107 to 142, 10 as 109 to 140


def exchange(count, name="shards"):
    return f"{PREFIX}.{name}-{count}"


def queues(count, name="shards"):
    return [f"{exchange(count, name)}.{n}" for n in range(count)]


def of_consumer(number, consumers, count, name="shards"):
    """The queues that are its own, and the others. The first consumer also looks after what nobody is bound to."""
    everything = queues(count, name)
    own = [queue for n, queue in enumerate(everything) if n % consumers == number]
    others = [queue for queue in everything if queue not in own]
    if name == "shards":
        (others if number else own).append(UNROUTED)
    return own, others


def definitions(shipped, count):
    """The broker's definitions, as text, from those that are shipped: shards instead of a queue for each lane."""
    content = json.loads(shipped)
    whose = {"vhost": "/"}
    gone = set(ONE_CONSUMER) - {UNROUTED}
    content.pop("about", None)
    content["queues"] = [q for q in content["queues"] if q["name"] not in gone]
    content["bindings"] = [b for b in content["bindings"] if b["destination"] not in gone]
    content["exchanges"].append({**whose, "name": exchange(count), "type": "x-consistent-hash", "durable": True,
                                 "auto_delete": False, "internal": False, "arguments": {}})
    for key in KEYS:
        content["bindings"].append({**whose, "source": EXCHANGE, "destination": exchange(count), "destination_type": "exchange",
                                    "routing_key": key, "arguments": {}})
    for queue in queues(count):
        content["queues"].append({**whose, "name": queue, "durable": True, "auto_delete": False, "arguments": QUEUE})
        content["bindings"].append({**whose, "source": exchange(count), "destination": queue, "destination_type": "queue",
                                    "routing_key": WEIGHT, "arguments": {}})
    return json.dumps(content, indent=2)


def unbind(channel, count=None):
    """Of the exchange for `count` queues; without, of the queues for one consumer."""
    if count is not None:
        for key in KEYS:
            channel.exchange_unbind(exchange(count), EXCHANGE, key)
        return
    for queue in set(ONE_CONSUMER) - {UNROUTED}:
        for key in KEYS:
            channel.queue_unbind(queue, EXCHANGE, key)
