"""What `verify` and `cluster` find wrong in a cluster, without a broker."""
import pathlib
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "systemd" / "broker" / "rabbitmq"))

import checks  # noqa: E402
import rights  # noqa: E402

NODES = ["a@1", "a@2", "a@3"]
LIMIT = {"delivery-limit": 1000000000}


def queue(name, kind="quorum", members=NODES, online=NODES, policy="p", arguments=()):
    row = {"name": name, "type": kind, "members": members, "online": online, "policy": policy, "arguments": arguments}
    return checks.Queue(row, {"p": LIMIT})


class Case(unittest.TestCase):
    def setUp(self):
        setting = {"max_message_size": "4194304", "max_packet_size_authenticated": "4194304", "subscription_ttl": "undefined",
                   "max_session_expiry_interval_seconds": "infinity", "allow_anonymous": "false", "retained": 3}
        self.facts = types.SimpleNamespace(
            nodes=NODES, running=NODES, alarms=[], partitions={}, version=(4, 0, 5), mqtt=set(NODES),
            queues={name: queue(name) for name in ("metergate.x", "mqtt-subscription-metergate-gqos1")},
            wanted={"queues": [{"name": "metergate.x"}], "bindings": []}, bindings=set(), exchanges={"metergate.unrouted"},
            policy_of_exchange=lambda _name: {"alternate-exchange": "metergate.unrouted"},
            settings={name: dict(setting) for name in NODES}, users={}, permissions={}, topics={})
        self.facts.sessions = lambda: checks.Facts.sessions(self.facts)

    def wrong(self):
        return [text for well, text in checks.everything(self.facts) if not well]

    def expect(self, *texts):
        found = self.wrong()
        self.assertEqual(len(found), len(texts), found)
        for text, one in zip(texts, found):
            self.assertIn(text, one)

    def test_nothing_is_wrong_with_a_whole_cluster(self):
        self.expect()

    def test_a_queue_with_fewer_members_than_nodes(self):
        self.facts.queues["metergate.x"] = queue("metergate.x", members=NODES[:2])
        self.expect("members: fewer than the 3 nodes")

    def test_a_queue_without_a_majority(self):
        self.facts.queues["metergate.x"] = queue("metergate.x", online=NODES[:1])
        self.expect("members: no majority is online")

    def test_a_classic_queue(self):
        self.facts.queues["metergate.x"] = queue("metergate.x", kind="classic", members=[], online=[])
        self.expect("queues: not a quorum queue")

    def test_a_node_that_is_down(self):
        self.facts.running, self.facts.mqtt = NODES[:2], set(NODES[:2])
        self.expect("nodes: 2 of 3 run")

    def test_mqtt_that_is_closed_on_one_node(self):
        self.facts.mqtt = set(NODES[:2])
        self.expect("mqtt: closed on a@3")

    def test_alarms_and_a_partition(self):
        self.facts.alarms, self.facts.partitions = ["memory"], {"a@1": ["a@2"]}
        self.expect("they see each other in part only", "alarms stop all publishers")

    def test_a_classic_session_in_a_cluster_but_not_on_one_node(self):
        name = "mqtt-subscription-metergate-gqos1"
        self.facts.queues[name] = queue(name, kind="classic", members=[], online=[])
        self.expect("a classic one is on one node")
        self.facts.nodes = self.facts.running = ["a@1"]
        self.facts.mqtt = {"a@1"}
        self.expect()

    def test_a_session_that_was_made_while_a_node_was_down(self):
        name = "mqtt-subscription-metergate-gqos1"
        self.facts.queues[name] = queue(name, members=NODES[:2])
        self.expect("fewer than 3 members")

    def test_a_session_without_the_policy(self):
        name = "mqtt-subscription-metergate-gqos1"
        self.facts.queues[name] = queue(name, policy="")
        self.expect("a message is dropped after 20 deliveries")

    def test_a_limit_of_minus_one(self):
        self.facts.queues["metergate.x"] = queue("metergate.x", arguments=[["x-delivery-limit", "long", -1]])
        self.expect("a message is dropped after -1 deliveries")

    def test_sizes_and_expiry_by_version(self):
        for setting in self.facts.settings.values():
            setting.update(max_packet_size_authenticated="268435455", max_session_expiry_interval_seconds="86400")
        self.assertEqual(len(self.wrong()), 3)
        self.assertIn("max_packet_size_authenticated is 268435455", self.wrong()[0])
        self.assertIn("a session ends, with its commands", self.wrong()[0])
        self.facts.version = (3, 10, 8)
        self.expect()

    def test_rights(self):
        self.facts.users = {"g": [], "cloud": [], "look": [], "root": ["administrator"], "h": []}
        for name, kind in (("g", rights.gateway), ("cloud", rights.backend), ("look", rights.look), ("h", rights.gateway)):
            self.facts.permissions[name], self.facts.topics[name] = kind(name)
        self.expect()
        self.facts.topics["h"] = {"write": ".*", "read": ".*"}
        self.facts.topics["g"] = {}
        self.expect("no topic permissions", "not those of a gateway")


if __name__ == "__main__":
    unittest.main(verbosity=2)
