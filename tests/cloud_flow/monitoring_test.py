"""The alert rules for the broker ask for metrics that it has, where prometheus.yml looks for them."""
import pathlib
import re
import tempfile
import unittest
import urllib.request

from brokers import ROOT, RabbitMQ, low_port, wait_for

MONITORING = ROOT / "systemd" / "monitoring"
QUEUES = {f"metergate.{name}" for name in ("readings", "results", "events", "state", "unrouted")}


class Monitoring(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="metergate-")
        self.addCleanup(folder.cleanup)
        self.port = low_port()
        rabbit = RabbitMQ(pathlib.Path(folder.name), settings=f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {self.port}\n")
        (rabbit.etc / "enabled_plugins").write_text("[rabbitmq_mqtt,rabbitmq_prometheus].\n")
        self.addCleanup(rabbit.stop)
        rabbit.start()

    def scrape(self):
        """All that the jobs for the broker get."""
        text = ""
        for path, families in re.findall(r"metrics_path: (/metrics\S*)\n(?:    params:\n      family: \[(.*)\])?",
                                         (MONITORING / "prometheus.yml").read_text()):
            query = "&".join(f"family={family}" for family in families.split(", ") if family)
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}?{query}", timeout=20) as answer:
                text += answer.read().decode()
        return text

    def test_every_metric_of_the_rules_is_there(self):
        rules = (MONITORING / "alerts.yml").read_text()
        wanted = set(re.findall(r"\brabbitmq_\w+", rules.split("- name: metergate-broker")[1])) - {"rabbitmq_prometheus"}
        self.assertEqual(len(wanted), 6)

        def queues_of(name):
            return set(re.findall(rf'^{name}{{.*queue="(metergate[^"]*)"', self.scrape(), re.MULTILINE))

        for name in wanted:
            if "detailed" in name:
                wait_for(name, 30, lambda: queues_of(name) == QUEUES)  # noqa: B023
            else:
                self.assertRegex(self.scrape(), rf"(?m)^{name} ")


if __name__ == "__main__":
    unittest.main(verbosity=2)
