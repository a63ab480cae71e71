"""A Kafka cluster for one run: three brokers with KRaft, own folder, own ports, loopback only, from Maven's jars."""
import base64
import pathlib
import secrets
import shutil
import subprocess
import sys

from brokers import ROOT, Server, low_port

JARS = ROOT / "build" / "kafka"
SKIP = 77
SETTINGS = """
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
num.partitions=8
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
auto.create.topics.enable=false
unclean.leader.election.enable=false
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=16777216
"""
LOGGING = """
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c %m%n
"""


def class_path():
    """The jars, fetched once. Where that cannot be done the test ends as skipped, and says so: nothing was tested."""
    if not (JARS / "complete").exists():
        JARS.mkdir(parents=True, exist_ok=True)
        pom = pathlib.Path(__file__).with_name("kafka-pom.xml")
        words = ["mvn", "-B", "-q", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
            why = "" if done.returncode == 0 else (done.stdout + done.stderr)[-500:]
        except (OSError, subprocess.TimeoutExpired) as error:
            why = str(error)
        if why:
            print(f"SKIPPED, nothing of Kafka was tested: no Maven registry gives its jars, or java or mvn is missing.\n{why}",
                  file=sys.stderr, flush=True)
            sys.exit(SKIP)
        (JARS / "complete").touch()
    return f"{JARS}/*"


class Node(Server):
    """`kill` is kill -9; `start` brings it back with the same disk."""

    def __init__(self, folder, node, port, controller, voters):
        super().__init__(folder / f"kafka-{node}", f"kafka-{node}")
        self.port = port
        self.config, logging = self.folder / "server.properties", self.folder / "log4j2.properties"
        self.config.write_text(SETTINGS.format(node=node, port=port, controller=controller, voters=voters, folder=self.folder))
        logging.write_text(LOGGING)
        self.java = [shutil.which("java") or "/usr/bin/java", "-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                     "-Xshare:auto", f"-Dlog4j2.configurationFile={logging}", "-cp", class_path()]

    def format(self, cluster):
        self.spawn([*self.java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", self.config])

    def start(self):
        self.spawn([*self.java, "kafka.Kafka", self.config])


class Kafka:
    def __init__(self, folder):
        ports = [(low_port(), low_port()) for _ in range(3)]
        voters = ",".join(f"{n}@127.0.0.1:{controller}" for n, (_port, controller) in enumerate(ports, 1))
        self.nodes = [Node(folder, n, *pair, voters) for n, pair in enumerate(ports, 1)]
        self.address = ",".join(f"127.0.0.1:{port}" for port, _controller in ports)

    def start(self):
        cluster = base64.urlsafe_b64encode(b"m" + secrets.token_bytes(15)).decode().rstrip("=")  # never one that looks like a flag
        for node in self.nodes:
            node.format(cluster)
        for node in self.nodes:
            assert node.child.wait(120) == 0, node.log()
            node.start()
        for node in self.nodes:
            node.await_port(node.port, 180)
        return self

    def kill(self, *numbers):
        for n in numbers:
            self.nodes[n].kill()

    def restart(self, *numbers):
        for n in numbers:
            self.nodes[n].start()
        for n in numbers:
            self.nodes[n].await_port(self.nodes[n].port, 180)

    def stop(self):
        self.kill(0, 1, 2)
