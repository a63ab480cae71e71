"""Who may do what on the broker: one table, which `gateway-user` gives and `verify` compares with."""
EXCHANGE = "amq.topic"
ANY = "[A-Za-z0-9_-]+"  # a gateway's id
UP = "status|catalog|catalog[.][0-9]+|readings|results|events"
DOWN = "commands|receipts"
QUEUES = ("readings", "results", "events", "state", "unrouted")


def gateway(name):
    """(permissions, topic permissions). Its subscription queue by its full name, its own topics."""
    queue = rf"mqtt-subscription-metergate-{name}qos1"
    both = rf"^(amq\.topic|{queue})$"
    topics = {"write": rf"^metergate\.{name}\.({UP})$", "read": rf"^metergate\.{name}\.({DOWN}|status)$"}
    return {"configure": f"^{queue}$", "write": both, "read": both}, topics


def backend(_name):
    """All of the backend's queues, commands and receipts to every gateway."""
    topics = {"write": rf"^metergate\.{ANY}\.({DOWN})$", "read": "^$"}
    return {"configure": "^$", "write": r"^amq\.topic$", "read": rf"^metergate\.({'|'.join(QUEUES)})$"}, topics


def look(name):
    """What comes from every gateway, into queues that carry its own name and end with its connection. It publishes nothing: it
    may not write to the exchange. The filters are compared as text: '+' is '*' here, and '#' is never right."""
    queue = rf"mqtt-subscription-{name}(-{ANY})?qos[01]"
    topics = {"write": "^$", "read": rf"^metergate\.({ANY}|\*)\.({UP}|catalog\.\*)$"}
    return {"configure": f"^{queue}$", "write": f"^{queue}$", "read": rf"^(amq\.topic|{queue})$"}, topics
