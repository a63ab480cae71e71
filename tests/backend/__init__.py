"""A backend for Metergate gateways, as small as it can be and still right: RabbitMQ, a db (SQLite or PostgreSQL), Redis, Kafka.

README.md has the picture, the rules and where each is kept. Read db.py first (what is known for good: unique ids, gaps by number),
then operations.py (what was asked of gateways), consumer.py (acknowledge after the commit), sender.py (confirmed, persistent, sent
again under the same id), orders.py (what the user polls), service.py (all of it together).

    gateway -> amq.topic, key metergate.GATEWAY.readings | results | events    -> queues metergate.readings | .results | .events
               amq.topic, key metergate.GATEWAY.status | catalog               -> queue  metergate.state
    backend -> amq.topic, key metergate.GATEWAY.commands | receipts            -> the gateway's own queue
               nobody is subscribed                                            -> queue  metergate.unrouted: no such gateway

Receipts and replays are sent only if asked for: receipts to gateways that run with `--delivery receipt`; a replay for each gap in
the numbers that does not close by itself. Without replays it stays an open question for somebody to look at (table `gaps`).

What it does not show: authentication of users.
"""

EXCHANGE, PREFIX = "amq.topic", "metergate"
UNROUTED = f"{PREFIX}.unrouted"
ONE_CONSUMER = tuple(f"{PREFIX}.{name}" for name in ("readings", "results", "events", "state", "unrouted"))
