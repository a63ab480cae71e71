"""Numbers for Prometheus, as text."""

SENTENCES = (  # name, type, help, query: the last column is the value, those before are labels
    ("records_total", "counter", "records that a consumer stored", "SELECT consumer, records FROM counters"),
    ("repeats_total", "counter", "records that a consumer knew already", "SELECT consumer, repeats FROM counters"),
    ("messages_total", "counter", "messages that a consumer took", "SELECT consumer, messages FROM counters"),
    ("gap_records", "gauge", "numbers that did not come and are not known to be lost",
     "SELECT coalesce(sum(last - first + 1), 0) FROM gaps"),
    ("lost_records", "gauge", "numbers that will not come", "SELECT why, sum(last - first + 1) FROM lost GROUP BY why"),
    ("aside_messages", "gauge", "messages that could not be used", "SELECT count(*) FROM aside"),
    ("open_commands", "gauge", "commands without a result", "SELECT count(*) FROM operations WHERE result IS NULL"),
    ("oldest_open_order_seconds", "gauge", "age of the oldest order without all results",
     "SELECT coalesce(? - min(asked_at), 0) FROM operations WHERE result IS NULL AND orderid IS NOT NULL"),
)
LABELS = {"records_total": "consumer", "repeats_total": "consumer", "messages_total": "consumer", "lost_records": "why"}


def _line(name, labels, value):
    return f"metergate_cloud_{name}{'{' + labels + '}' if labels else ''} {value}\n"


def of_db(db, now):
    text = ""
    for name, kind, what, query in SENTENCES:
        text += f"# HELP metergate_cloud_{name} {what}\n# TYPE metergate_cloud_{name} {kind}\n"
        for *labels, value in db.rows(query, *[now] * query.count("?")):
            text += _line(name, f'{LABELS[name]}="{labels[0]}"' if labels else "", value)
    states = [state for _gateway, state, *_at in db.presence(now)]
    text += "# HELP metergate_cloud_gateways gateways by what is known of them\n# TYPE metergate_cloud_gateways gauge\n"
    for state in ("online", "offline", "silent"):
        text += _line("gateways", f'state="{state}"', states.count(state))
    return text


def of_broker(settings, queues):
    """How many messages wait in each queue: the lag of its consumer. Nothing while the broker is away, but that."""
    text = "# HELP metergate_cloud_queue_messages messages that wait\n# TYPE metergate_cloud_queue_messages gauge\n"
    up = 1
    try:
        with settings.connect() as connection:
            channel = connection.channel()
            for queue in queues:
                count = channel.queue_declare(queue, passive=True).method.message_count
                text += _line("queue_messages", f'queue="{queue}"', count)
    except Exception:
        up = 0
    return text + "# TYPE metergate_cloud_broker_up gauge\n" + _line("broker_up", "", up)
