"""What must be true of a broker so that what it acknowledges is kept and what a backend sends arrives. Read-only."""
import json
import pathlib
import re

import node
import rights

INSTALLED, SHIPPED = pathlib.Path("/etc/rabbitmq/metergate.json"), pathlib.Path(__file__).resolve().parent / "definitions.json"
NEVER = 1_000_000  # a delivery limit from here on is none
SMALLEST, LARGEST = 256 * 1024, 16 * 1024 * 1024  # of a message: what gateways need, what a node's memory should bear
SESSION = re.compile(r"mqtt-subscription-(.*)qos1")
DROPS = ("max-length", "max-length-bytes", "message-ttl")

# On each running node: how a setting stands, and how many retained messages there are.
ASKED = """
Get = fun(N, App, Key) -> list_to_binary(io_lib:format("~p", [rpc:call(N, application, get_env, [App, Key, none])])) end,
Retained = fun() -> lists:sum([ets:info(T, size) || T <- ets:all(),
  lists:prefix("rabbit_mqtt_retained_", lists:flatten(io_lib:format("~s", [ets:info(T, name)])))]) end,
iolist_to_binary(rabbit_json:encode(maps:from_list([{N, #{
  max_message_size => Get(N, rabbit, max_message_size),
  max_packet_size_authenticated => Get(N, rabbitmq_mqtt, max_packet_size_authenticated),
  subscription_ttl => Get(N, rabbitmq_mqtt, subscription_ttl),
  max_session_expiry_interval_seconds => Get(N, rabbitmq_mqtt, max_session_expiry_interval_seconds),
  allow_anonymous => Get(N, rabbitmq_mqtt, allow_anonymous),
  retained => rpc:call(N, erlang, apply, [Retained, []])}} || N <- rabbit_nodes:all_running()]))).
"""


class Facts:
    """The broker at one moment. `definitions`: a file with what it should have; else what is installed here, else what is shipped."""

    def __init__(self, definitions=None):
        status = json.loads(node.ctl("cluster_status", "--formatter", "json"))
        self.nodes, self.running = status["disk_nodes"] + status["ram_nodes"], status["running_nodes"]
        self.alarms, self.partitions = status["alarms"], status["partitions"]
        versions = [each["rabbitmq_version"] for each in status["versions"].values() if "rabbitmq_version" in each]
        self.version = min(tuple(int(n) for n in re.findall(r"\d+", text)[:3]) for text in versions)
        self.mqtt = {name for name, listeners in status["listeners"].items()
                     if any(each["protocol"] in ("mqtt", "mqtt/ssl") for each in listeners)}
        defined = json.loads(node.ctl("export_definitions", "-"))
        self.policies = [each for each in defined["policies"] if each["vhost"] == "/"]
        by_name = {each["name"]: each["definition"] for each in self.policies}
        self.queues = {each["name"]: Queue(each, by_name) for each in node.listed(
            "list_queues", "name", "type", "arguments", "policy", "members", "online")}
        self.exchanges = {each["name"] for each in defined["exchanges"]}
        self.bindings = {(each["source"], each["destination"], each["routing_key"]) for each in defined["bindings"]}
        self.users = {each["name"]: each["tags"] for each in defined["users"]}
        self.permissions = {each["user"]: each for each in defined["permissions"] if each["vhost"] == "/"}
        self.topics = {each["user"]: each for each in defined["topic_permissions"] if each["exchange"] == rights.EXCHANGE}
        # A binary as Erlang prints it: pieces of text in quotes.
        printed = re.findall(r'"((?:[^"\\]|\\.)*)"', node.ctl("eval", ASKED))
        self.settings = json.loads(re.sub(r"\\(.)", r"\1", "".join(printed)))
        self.wanted = json.loads((definitions or (INSTALLED if INSTALLED.exists() else SHIPPED)).read_text())

    def policy_of_exchange(self, name):
        """The one of the highest priority holds."""
        those = [each for each in self.policies if each["apply-to"] in ("exchanges", "all") and re.search(each["pattern"], name)]
        return max(those, key=lambda each: each["priority"])["definition"] if those else {}

    def sessions(self):
        return [queue for name, queue in self.queues.items() if SESSION.fullmatch(name)]


class Queue:
    def __init__(self, row, policies):
        self.name, self.type = row["name"], row["type"]
        self.members, self.online = row["members"] or [], row["online"] or []
        self.policy = policies.get(row["policy"], {})
        self.arguments = {name.removeprefix("x-"): value for name, _type, value in row["arguments"]}

    def limits(self, what):
        return [each[what] for each in (self.arguments, self.policy) if what in each]


def all_of(things, wrong, right):
    """One line for many things: (whether all is well, what to say)."""
    if not wrong:
        return [(True, right)]
    return [(False, f"{text} ({len(names)} of {things}: {', '.join(sorted(names)[:5])}{' ...' if len(names) > 5 else ''})")
            for text, names in wrong.items()]


def gathered(pairs):
    wrong = {}
    for text, name in pairs:
        wrong.setdefault(text, []).append(name)
    return wrong


def nodes(facts, expected=None):
    expected = expected or len(facts.nodes)
    yield (len(facts.running) == len(facts.nodes) == expected,
           f"nodes: {len(facts.running)} of {max(expected, len(facts.nodes))} run: {' '.join(sorted(facts.running))}")
    if facts.partitions:
        yield False, f"nodes: they see each other in part only: {facts.partitions}; restart those of the smaller part"
    if facts.alarms:
        yield False, f"nodes: alarms stop all publishers: {facts.alarms}"


def queues(facts):
    """Those of the definitions are there, whole, and drop nothing."""
    names = [each["name"] for each in facts.wanted["queues"]]
    wrong = []
    for name in names:
        queue = facts.queues.get(name)
        if queue is None:
            wrong.append(("queues: missing; rabbitmqctl import_definitions /etc/rabbitmq/metergate.json", name))
            continue
        if queue.type != "quorum":
            wrong.append(("queues: not a quorum queue; it is lost with its node", name))
        elif len(queue.members) < len(facts.nodes):
            wrong.append((f"members: fewer than the {len(facts.nodes)} nodes; rabbitmq-queues grow NODE all, for each node", name))
        elif 2 * len(queue.online) <= len(queue.members):
            wrong.append(("members: no majority is online; nothing is taken or given", name))
        wrong += [(f"queues: {what} drops or refuses messages", name) for what in (*DROPS, "expires") if queue.limits(what)]
    yield from all_of(len(names), gathered(wrong), f"queues: {len(names)}, each with {len(facts.nodes)} members")
    there = [queue for queue in map(facts.queues.get, names) if queue]
    yield from delivery_limits(facts, there + facts.sessions())


def delivery_limits(facts, those):
    wrong = []
    for queue in those:
        limits = queue.limits("delivery-limit")
        if limits and min(limits) < NEVER:
            wrong.append((f"delivery limit: a message is dropped after {min(limits)} deliveries", queue.name))
        elif not queue.policy.get("delivery-limit") and queue.type == "quorum":
            what = "is dropped after 20 deliveries" if facts.version >= (4,) else "would be dropped by RabbitMQ 4"
            wrong.append((f"delivery limit: no policy sets one, a message {what}", queue.name))
    yield from all_of(len(those), gathered(wrong), f"delivery limit: none that drops, {len(those)} queues")


def bindings(facts):
    wanted = {(each["source"], each["destination"], each["routing_key"]) for each in facts.wanted["bindings"]}
    missing = sorted(f"{source} > {destination} {key}".strip() for source, destination, key in wanted - facts.bindings)
    yield not missing, f"bindings: missing: {', '.join(missing)}" if missing else f"bindings: {len(wanted)}"
    unrouted = facts.policy_of_exchange(rights.EXCHANGE).get("alternate-exchange")
    right = unrouted == "metergate.unrouted" and unrouted in facts.exchanges
    yield right, ("alternate exchange: what nobody is subscribed to is kept" if right else
                  "alternate exchange: amq.topic has none; what no queue is bound to is acknowledged and lost")


def settings(facts):
    for name, each in sorted(facts.settings.items()):
        sizes = ["max_message_size"] + (["max_packet_size_authenticated"] if facts.version >= (3, 12) else [])
        expiry = "max_session_expiry_interval_seconds" if facts.version >= (3, 13) else "subscription_ttl"
        if facts.mqtt == set():  # its settings are not read before the plugin runs
            sizes, expiry = sizes[:1], None
        wrong = [f"{size} is {each[size]}, not between {SMALLEST} and {LARGEST}" for size in sizes
                 if not each[size].isdigit() or not SMALLEST <= int(each[size]) <= LARGEST]
        if expiry and each[expiry] not in ("infinity", "undefined"):
            wrong.append(f"{expiry} is {each[expiry]}: a session ends, with its commands, before the policy says so")
        if expiry and each["allow_anonymous"] != "false":
            wrong.append("allow_anonymous is not false: anybody may come in")
        yield not wrong, f"settings of {name}: {'; '.join(wrong) or 'message size, session expiry, no anonymous users'}"


def users(facts):
    counts, wrong = {"gateways": 0, "backends": 0, "who look": 0, "other": 0}, []
    kinds = {"gateways": rights.gateway, "backends": rights.backend, "who look": rights.look}
    own = ("read", "write")  # of a backend: it may have queues and exchanges of its own
    for name, tags in facts.users.items():
        permissions = facts.permissions.get(name, {})
        topics = facts.topics.get(name, {})
        if name == "guest":
            wrong.append(("rights: the user guest has the password guest; rabbitmqctl delete_user guest", name))
        elif tags:
            counts["other"] += 1
        elif kind := next((kind for kind, of in kinds.items() if is_given(of(name), permissions, topics, own if kind == "backends" else ())), None):
            counts[kind] += 1
        elif not topics:
            wrong.append(("rights: no topic permissions, so all topics are allowed; gateway-user NAME FILE", name))
        else:
            wrong.append(("rights: not those of a gateway, of the backend or of who looks; gateway-user NAME FILE", name))
    yield from all_of(len(facts.users), gathered(wrong), "rights: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()))


def is_given(expected, permissions, topics, any_of=()):
    """Permissions named in `any_of` may be anything."""
    return all(topics.get(key) == value for key, value in expected[1].items()) and \
        all(key in any_of or permissions.get(key) == value for key, value in expected[0].items())


def mqtt(facts):
    if facts.mqtt != set(facts.running):
        closed = " ".join(sorted(set(facts.running) - facts.mqtt))
        yield False, f"mqtt: closed on {closed}; cluster open, or rabbitmq-plugins enable rabbitmq_mqtt"
    else:
        yield True, "mqtt: open on every node that runs"
    retained = ", ".join(f"{each['retained']} on {name}" for name, each in sorted(facts.settings.items()))
    several = len(facts.nodes) > 1
    yield True, f"retained messages: {retained}" + ("; each node has its own: rely on them nowhere" if several else "")


def sessions(facts):
    those = facts.sessions()
    types = {}
    for queue in those:
        types[queue.type] = types.get(queue.type, 0) + 1
    wrong = []
    if len(facts.nodes) > 1:
        for queue in those:
            if queue.type != "quorum":
                wrong.append(("sessions: a classic one is on one node: while that is down its gateway cannot connect; "
                              "rabbitmqctl delete_queue, with its commands", queue.name))
            elif len(queue.members) < min(3, len(facts.nodes)):
                wrong.append(("sessions: made while a node was down, fewer than 3 members; rabbitmq-queues grow NODE all", queue.name))
    yield from all_of(len(those), gathered(wrong), "sessions: " + (", ".join(f"{n} {kind}" for kind, n in sorted(types.items())) or "none"))


def queues_and_bindings(facts):
    """All that has to hold before the first gateway may connect."""
    yield from queues(facts)
    yield from bindings(facts)
    yield from settings(facts)


def everything(facts, expected=None):
    yield from nodes(facts, expected)
    yield from queues_and_bindings(facts)
    yield from users(facts)
    yield from mqtt(facts)
    yield from sessions(facts)


def show(results):
    """Prints a line each. Whether all is well."""
    results = list(results)
    for well, text in results:
        print(f"{'ok ' if well else 'NOT'}  {text}")
    return all(well for well, _text in results)
