"""How much it will be, before it comes: messages, bytes, memory and disk of the queues and the db."""
MESSAGE, RECORD, POINT = 40, 260, 27  # bytes of JSON, measured on readings of built-in profiles
INDEX_IN_MEMORY = 32  # bytes a message that a quorum queue keeps in memory, RabbitMQ's "Quorum Queues", Memory Footprint
WAL, WAL_COPIES = 64 * 2**20, 3  # raft.wal_max_size_bytes of systemd/broker/rabbitmq; how much more than one may be held
ROW = 110  # bytes of a record in PostgreSQL beside its text: row header, key, the key once more in the index
CONSUMER = 5000  # records a second that one consumer stores, see README.md


def size(gateways, meters, every, points, outage, together=1):
    """`every` and `outage` in seconds; `together`: records of a message (a gateway sends what it commits in the same second in one,
    50 at most). By name: a number."""
    records = gateways * meters / every
    messages = records / together
    message = MESSAGE + together * (RECORD + POINT * points)
    waiting = messages * outage
    return {
        "records a second": records,
        "messages a second": messages,
        "bytes a message": message,
        "bytes a second": messages * message,
        "consumers": max(1, -(-records // CONSUMER)),
        "messages in the queues after the outage": waiting,
        "memory of the queues, a node": waiting * INDEX_IN_MEMORY + WAL * WAL_COPIES,
        "disk of the queues, a node": waiting * message,
        "rows a day": records * 86400,
        "disk of the db a month": records * 86400 * 30 * (RECORD + POINT * points + ROW),
        "seconds to catch up with ten more consumers": waiting * together / (10 * CONSUMER),
    }


def readable(name, value):
    if "disk" in name or "memory" in name or "bytes" in name:
        for unit in ("B", "KiB", "MiB", "GiB"):
            if value < 1024:
                return f"{value:,.1f} {unit}"
            value /= 1024
        return f"{value:,.1f} TiB"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"
