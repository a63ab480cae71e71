"""A cluster of three nodes loses its leader, its majority, all nodes, and a gateway's client id is taken over, while two
gateways read and take commands. Every record arrives, every command is executed once. Prints the stalls that a user sees.

A stall: the longest time during a step in which no new reading was in the backend's db, and the longest time from a command
to its result there. The pauses of the gateways are in it: --backoff-max is 2 s here."""
import collections
import contextlib
import signal
import subprocess
import threading
import time

from world import World, wait_for  # first: it says where the others are

from backend.sender import Commands
from brokers import Cluster
from crash_test import FIRST, PROFILE
from silent_client import SilentClient

GATEWAYS = ("near", "far")
COMMAND_EVERY = 0.5
READINGS = "SELECT coalesce(sum(highest), 0) FROM lanes WHERE name = 'readings'"


class Traffic:
    """Two gateways that read, and a user who commands both."""

    def __init__(self, world):
        self.world = world
        (world.lab.folder / "count.ini").write_text(PROFILE)
        self.sims = {name: world.meters(f"meters-{name}", "--tcp", 0, "--meters", "1-3", "--counter", "holding:0",
                                        "--registers", "holding:0-9999") for name in GATEWAYS}
        self.agents = {name: self.gateway(name) for name in GATEWAYS}
        self.commands = {name: [] for name in GATEWAYS}
        self.stop = threading.Event()
        self.user = threading.Thread(target=self.command)

    def gateway(self, name):
        meters = [w for n in (1, 2, 3) for w in ("--meter", f"id=m{n},bus=b,unit={n},profile=count,every=250ms")]
        return self.world.gateway(name, "--bus", f"name=b,tcp=127.0.0.1:{self.sims[name].ports()[0]}", *meters, "--profile-dir",
                                  self.world.lab.folder)

    def command(self):
        """Each reads a register that no other command reads."""
        db = self.world.settings.open_db()
        sender = Commands(db)
        while not self.stop.wait(COMMAND_EVERY):
            for name, sent in self.commands.items():
                route = {"bus": "b", "unit": 1}
                registers = {"table": "holding", "address": FIRST + len(sent), "count": 1}
                sent.append(sender.send(name, {"op": "read", "route": route, "registers": registers}))
        db.close()

    def executions(self, name):
        return collections.Counter(f["address"] for f in self.sims[name].frames("request") if f["address"] >= FIRST)


class Stalls(threading.Thread):
    """Looks at the backend's db all the time."""

    def __init__(self, open_db):
        super().__init__(daemon=True)
        self.open_db, self.arrivals, self.stop = open_db, [], threading.Event()

    def run(self):
        db, seen = self.open_db(), 0
        while not self.stop.wait(0.02):
            count, = db.rows(READINGS)[0]
            if count > seen:
                seen = count
                self.arrivals.append(time.time())
        db.close()

    def longest(self, begin, end):
        """Without a reading, and of a command that was asked for in that time."""
        times = [begin, *(t for t in self.arrivals if begin <= t <= end), end]
        db = self.open_db()
        waits = db.rows("SELECT max(answered_at - asked_at) FROM operations WHERE asked_at BETWEEN ? AND ?", begin, end)[0][0]
        db.close()
        return max(b - a for a, b in zip(times, times[1:])), waits or 0.0


class ThreeNodes:
    def __init__(self, world, say=print):
        self.world, self.cluster, self.say = world, world.rabbit, say
        self.backend = world.backend({})
        self.traffic = Traffic(world)
        self.stalls = Stalls(world.settings.open_db)
        self.steps = []

    def highest(self):
        return self.backend.db.rows(READINGS)[0][0]

    @contextlib.contextmanager
    def step(self, what):
        begin = time.time()
        yield
        before = self.highest()
        wait_for(f"readings after '{what}'", 240, lambda: self.highest() > before + 50)
        self.steps.append((what, begin, time.time()))
        self.say(f"    {what}: {time.time() - begin:.0f} s", flush=True)

    def await_all_nodes(self):
        for node in self.cluster.nodes:
            node.await_ports(240)

    def run(self):
        self.stalls.start()
        for name in GATEWAYS:
            self.world.await_state(self.backend, name, "online")
        self.traffic.user.start()
        with self.step("nothing happens"):
            time.sleep(5)
        with self.step("kill -9 of the leader's node"):
            first = self.cluster.leader("metergate.readings")
            first.kill()
            time.sleep(8)
        with self.step("a second node stopped, for 8 s no majority, then both started"):
            second = next(node for node in self.cluster.running() if node is not first)
            self.end(second)
            time.sleep(8)
            for node in (first, second):
                node.launch()
            self.await_all_nodes()
        with self.step("kill -9 of all nodes, all started"):
            for node in self.cluster.nodes:
                node.kill()
            for node in self.cluster.nodes:
                node.launch()
            self.await_all_nodes()
        with self.step("a client id taken over, once on each node"):
            self.take_over("near")
        self.traffic.stop.set()
        self.traffic.user.join(120)
        self.check()

    @staticmethod
    def end(node):
        """As a service manager does, without waiting for long: without a majority a node may not end by itself."""
        node.child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.child.wait(20)
        node.kill()

    def take_over(self, name):
        """By a client that takes the commands that wait, and never acknowledges one."""
        word = self.world.passwords[name].read_text().strip()
        for node in self.cluster.nodes:
            with contextlib.suppress(OSError, AssertionError, IndexError):
                thief = SilentClient(node.mqtt, name, word)
                time.sleep(1)
                thief.close()
            time.sleep(1)

    def open_commands(self):
        return self.backend.db.rows("SELECT command FROM operations WHERE result IS NULL")

    def check(self):
        """The next start tells how many records there were: what is missing would show as a gap."""
        db = self.backend.db
        wait_for("the result of every command", 180, lambda: not self.open_commands())
        for agent in self.traffic.agents.values():
            agent.kill(signal.SIGTERM)
            agent.start()
        for name in GATEWAYS:
            wait_for(f"the next epoch of {name}", 60, lambda: len(db.epochs(name)) == 2)  # noqa: B023
        wait_for("every record", 60, lambda: not db.rows("SELECT * FROM gaps"))
        for lane, highest, *which in db.rows("SELECT lane, highest, gateway, epoch, name FROM lanes"):
            assert db.rows("SELECT count(*) FROM records WHERE lane = ?", lane)[0][0] == highest, which
        assert db.rows("SELECT * FROM lost") == []
        assert db.rows("SELECT routing_key, why FROM aside") == [], db.rows("SELECT routing_key, why, body FROM aside")
        for name, sent in self.traffic.commands.items():
            seen = self.traffic.executions(name)
            assert seen == {FIRST + i: 1 for i in range(len(sent))}, (name, {a: n for a, n in seen.items() if n != 1}, len(sent))
        self.stalls.stop.set()
        self.stalls.join()
        records, = db.rows("SELECT count(*) FROM records")[0]
        commands = sum(map(len, self.traffic.commands.values()))
        self.say(f"  {records} records, each once; {commands} commands, each executed once. Longest stall, in seconds:")
        for what, begin, end in self.steps:
            readings, command = self.stalls.longest(begin, end)
            self.say(f"    {readings:6.1f} of readings {command:6.1f} of a command   {what}", flush=True)


def run(say=print):
    begin = time.monotonic()
    with World(*GATEWAYS, broker=Cluster) as world:
        world.rabbit.open()
        say(f"  RabbitMQ {'.'.join(map(str, world.rabbit.version))}: three nodes after {time.monotonic() - begin:.0f} s")
        ThreeNodes(world, say).run()
    say(f"  {time.monotonic() - begin:.0f} s together")
