"""Every kind of message of the wire, from running agents: collect() gives {name: text of the JSON}.

Each world has a broker, simulated meters and a gateway `plant-7`, and does what makes its messages. Names are those of the
examples in agent/protocol/README.md.
"""
import json
import os
import signal
import sys
import threading
import time

from case import faulty
from lab import ROOT, Lab, free_port, split_records, wait_for
from peers import mqtt_client

PUMP = """[profile]
format = 1
name = Pump meter
maker = Example
model = P1
hole = 0
identify = holding 30 u16 4711
[points]
active_energy_import = holding 0 u32 scale=0.01
voltage_l1 = holding 2 u16 scale=0.1
tariff = holding 3 u16 enum=1:day|2:night
winding = holding 4 i16 unit=degC na=0x8000
relay = coil 16 u16 enum=0:open|1:closed write=coil verify=relay after 100ms
limit = holding 8 u16 unit=kW min=0 max=100 write=register
serial_number = holding 10 u32
ct_ratio = holding 12 u16 kind=state
"""
LACKING = PUMP + "not_there = input 900 u16\n"
WIDE = "[profile]\nformat = 1\nname = wide\nmaker = none\nmodel = wide\n[points]\n" + "".join(
    f"a_point_with_a_long_name_{n} = holding {n} u16\n" for n in range(1000))
START = {"0": "0:50000", "2": "2301", "3": "1", "4": "32768", "8": "40", "10": "71:57945", "12": "40", "30": "4711"}


def soon(seconds=60):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


class World:
    """A gateway with its surroundings. `seen` has (topic behind the gateway's, text) of every message and record."""

    def __init__(self, name):
        self.lab = Lab()
        self.folder = self.lab.folder
        self.line = self.folder / "ttyS1"
        (self.folder / "profiles").mkdir()
        for profile, text in (("pump", PUMP), ("lacking", LACKING), ("wide", WIDE)):
            (self.folder / "profiles" / f"{profile}.ini").write_text(text)
        self.faults = self.folder / "faults"
        self.faults.mkdir()
        self.broker = self.lab.broker()
        self.sim = self.lab.sim("--pty", self.line, "--baud", "19200", "--mode", "8N1", "--meters", "1-3", "--registers",
                                "holding:0-40", "--registers", "coil:16-16")
        self.seen = []
        self.client = mqtt_client(f"backend-{name}")
        self.client.on_message = self._take
        self.subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe("metergate/plant-7/#", 1)
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", self.broker.port, keepalive=10)
        self.client.loop_start()
        assert self.subscribed.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.client.loop_stop()
        self.client.disconnect()
        self.lab.close(keep=kind is not None)

    def _take(self, _client, _userdata, message):
        topic, text = message.topic.split("/", 2)[2], message.payload.decode(errors="replace")
        if topic in ("readings", "results", "events"):
            self.seen += [(topic, record) for record in split_records(text)]
            topic += "-message"
        self.seen.append((topic, text))

    def show(self, unit=1, **registers):
        for address, value in (registers or START).items():
            self.sim.tell(f"set={unit}:holding:{address.lstrip('r')}:{value}")

    def flags(self, *meters, trust=True, broker=None, bus_more=",timeout=200ms,retries=0"):
        words = ["--gateway-id", "plant-7", "--bus", f"name=rs485-1,device={self.line},baud=19200,mode=8N1{bus_more}"]
        for meter in meters:
            words += ["--meter", meter]
        return [*words, "--profile-dir", self.folder / "profiles", "--upstream", f"mqtt://127.0.0.1:{broker or self.broker.port}",
                "--store", self.folder / "metergate.db", "--backoff-min", "200ms", "--backoff-max", "1s", "--commit-every",
                "100ms", *(["--trust-clock"] if trust else [])]

    def fault(self, name, text=""):
        (self.faults / "new").write_text(text)
        (self.faults / "new").rename(self.faults / name)

    def all(self, topic, **members):
        """The JSON texts of a topic whose members are these."""
        def fits(body):
            return isinstance(body, dict) and all(body.get(name) == value for name, value in members.items())
        return [text for where, text in list(self.seen) if where == topic and fits(json.loads(text))]

    def first(self, topic, seconds=60, **members):
        return wait_for(f"{topic} {members}", seconds, lambda: self.all(topic, **members))[0]

    def holding(self, topic, words, seconds=60, **members):
        """The first text with these words in it."""
        return wait_for(f"{topic} with {words}", seconds, lambda: [t for t in self.all(topic, **members) if words in t])[0]

    def event(self, name, seconds=60):
        return self.first("events", seconds, event=name)

    def send(self, ident, **command):
        self.send_text(json.dumps({"id": ident, **command}))

    def send_text(self, text, topic="commands"):
        self.client.publish(f"metergate/plant-7/{topic}", text, qos=1).wait_for_publish(10)

    def result(self, ident, seconds=60, **command):
        if command:
            self.send(ident, **command)
        return self.first("results", seconds, command=ident)


def plant():
    """One meter that answers: status, catalog, readings, commands, and what is told of a start."""
    with World("plant") as world:
        world.show()
        main = "id=main,bus=rs485-1,unit=1,profile=pump,every=1s,writable=yes"
        label = world.folder / "flags"
        label.write_text(f"meter = {main},label=Main feed\n")
        flags = world.flags()
        agent = world.lab.agent(*flags, f"@{label}")
        got = {"status-online": world.first("status", state="online"), "catalog": world.first("catalog"),
               "started-new": world.event("started"), "reading-good": world.holding("readings", '"slot"', quality="good")}
        got["readings-message"] = wait_for("a message of one reading", 60, lambda: [
            m for m in world.all("readings-message") if len(json.loads(m)["records"]) == 1 and '"slot"' in m])[0]
        got["result-read"] = world.result("c-1", op="read", meter="main", points=["active_energy_import", "tariff"])
        got["result-registers"] = world.result("c-2", op="read", route={"bus": "rs485-1", "unit": 1},
                                               registers={"table": "holding", "address": 0, "count": 3})
        got["result-write"] = world.result("c-3", op="write", meter="main", point="relay", value="closed", expires_at=soon())
        got["result-rejected"] = world.result("c-4", op="write", meter="main", point="limit", value=500, expires_at=soon())
        got["result-expired"] = world.result("c-5", op="read", meter="main", expires_at=soon(-60))
        got["result-status"] = world.result("c-6", op="status")
        got["result-catalog"] = world.result("c-7", op="catalog")
        world.send_text("switch it off")
        got["command_unreadable"] = world.event("command_unreadable")
        got["result-pause"] = world.result("c-8", op="pause", bus="rs485-1", **{"for": "30m"})
        got["bus_paused"] = world.event("bus_paused")
        got["result-failed"] = world.result("c-9", op="read", meter="main")
        time.sleep(2)
        got["result-resume"] = world.result("c-10", op="resume", bus="rs485-1")
        got["bus_resumed"], got["slots_missed"] = world.event("bus_resumed"), world.event("slots_missed", 70)
        epoch = json.loads(got["reading-good"])["id"].split("/")[1]
        got["result-replay"] = world.result("c-11", op="replay", epoch=epoch, lane="readings", from_seq=1, to_seq=9999)
        got["reading-flags"] = fall(world)
        got["counter_fell"] = world.event("counter_fell")
        world.sim.tell("silent=1")
        got["result-unknown"] = world.result("c-12", op="write", meter="main", point="limit", value=50, expires_at=soon())
        got["reading-bad"] = world.first("readings", quality="bad")
        got["meter_silent"] = world.event("meter_silent", 60)
        world.sim.tell("silent=off")
        got["meter_back"] = world.event("meter_back", 60)
        world.sim.tell("unplug")
        got["bus_down"] = world.event("bus_down", 60)
        world.sim.tell("plug")
        got["bus_up"] = world.event("bus_up", 60)

        # A configuration that is refused, and one that is not.
        good = label.read_text()
        label.write_text(good.replace("profile=pump", "profile=pmup"))
        agent.child.send_signal(signal.SIGHUP)
        got["config_refused"] = world.event("config_refused")
        label.write_text(good.replace("Main feed", "Main feed east"))
        agent.child.send_signal(signal.SIGHUP)
        got["catalog_changed"] = world.event("catalog_changed")
        got["started-kept"] = world.holding("events", '"kept"', event="started")

        # A client with the gateway's id and a clean session ends the one that the broker keeps for it.
        thief = mqtt_client("metergate-plant-7", clean_session=True)
        thief.connect("127.0.0.1", world.broker.port)
        thief.loop(1)
        thief.disconnect()
        got["session_lost"] = world.event("session_lost", 60)

        agent.kill(signal.SIGTERM)
        got["status-offline"] = world.holding("status", '"last"', state="offline")
        got.update(another_meter(world, agent, flags, main))
        got.update(damaged(world, agent, flags, main))
        return got


def fall(world):
    """Where a counter is below its last value."""
    world.show(r0="0:400")
    return world.holding("readings", '"flags"')


def another_meter(world, agent, flags, main):
    """Another meter in the place of the first, which is not the one that the flags name."""
    world.show(r10="71:58946", r12="20", r30="4999")
    second = world.lab.agent(*flags, "--meter", main + ",serial=4711001", name="agent-exchanged")
    got = {name: world.event(name) for name in ("meter_exchanged", "meter_mismatch", "ratio_changed", "profile_mismatch")}
    second.kill(signal.SIGKILL)
    got["status-will"] = wait_for("the last will", 40, lambda: [
        s for s in world.all("status", state="offline") if '"last"' not in s])[0]
    return got


def damaged(world, agent, flags, main):
    """A start whose store is no database any more, and one whose store is gone."""
    store = world.folder / "metergate.db"
    for file in world.folder.glob("metergate.db-*"):
        file.unlink()
    with open(store, "r+b") as file:
        file.seek(4096)
        file.write(os.urandom(store.stat().st_size // 2))
    third = world.lab.agent(*flags, "--meter", main, name="agent-repaired")
    replaced = world.holding("events", '"replaced"', event="started")
    third.kill(signal.SIGTERM)
    for file in world.folder.glob("metergate.db*"):
        if file.suffix != ".lock":
            file.unlink()
    fourth = world.lab.agent(*flags, "--meter", main, name="agent-anew")
    gone = world.event("store_gone")
    fourth.kill(signal.SIGTERM)
    return {"started-replaced": replaced, "store_gone": gone}


def lacking():
    """A meter that lacks a point, a second master on its line, more slots than the line can carry, a step of the clock."""
    with World("lacking") as world:
        world.show()
        world.fault("clock", "0 1")
        meters = [f"id=main,bus=rs485-1,unit=1,profile=lacking,every=1s"]
        meters += [f"id=hall-{unit},bus=rs485-1,unit={unit},profile=pump,every=10ms" for unit in (2, 3)]
        agent = world.lab.agent(*world.flags(*meters), env=faulty(world.faults))
        got = {"reading-partial": world.first("readings", quality="partial", meter="main")}
        world.sim.tell("second=3")
        got["second_master"] = world.event("second_master", 60)
        got["bus_overloaded"] = world.event("bus_overloaded", 60)
        world.fault("clock", "3600000 1")
        got["clock_stepped"] = world.event("clock_stepped", 20)
        world.fault("clock", "0 1")
        agent.kill(signal.SIGTERM)
        return got


def twins():
    """Two gateways with one id."""
    with World("twins") as world:
        main = "id=main,bus=rs485-1,unit=1,profile=pump"
        flags = world.flags(main)
        agents = [world.lab.agent(*flags, "--store", world.folder / f"{name}.db", "--client-id", name, name=name)
                  for name in ("one", "two")]
        got = {"duplicate_gateway": world.event("duplicate_gateway", 60)}
        for agent in agents:
            agent.kill(signal.SIGTERM)
        return got


def full():
    """A store without room: records, readings and commands that it could not keep."""
    with World("full") as world:
        port = free_port()
        world.lab.sim("--tcp", port, "--meters", "1-1", "--registers", "holding:0-999", name="wide")
        proxy = world.lab.proxy(world.broker.port)
        flags = ["--gateway-id", "plant-7", "--bus", f"name=plant,tcp=127.0.0.1:{port}", "--meter",
                 "id=main,bus=plant,unit=1,profile=wide,every=0s", "--profile-dir", world.folder / "profiles", "--upstream",
                 f"mqtt://127.0.0.1:{proxy.port}", "--store", world.folder / "metergate.db", "--store-max-size", "8MiB",
                 "--backoff-min", "200ms", "--backoff-max", "1s", "--commit-every", "100ms"]
        agent = world.lab.agent(*flags, env=faulty(world.faults))
        wait_for("the agent online", 10, lambda: world.all("status", state="online"))
        proxy.away = True
        proxy.cut()
        wait_for("dropped readings", 60, lambda: agent.ask()["store"]["readings"]["dropped"] > 50)
        proxy.away = False
        got = {"records_dropped": world.event("records_dropped", 60)}
        world.fault("fail-fdatasync")
        wait_for("lost readings", 90, lambda: agent.ask()["store"]["readings_lost"] > 5)
        (world.faults / "fail-fdatasync").unlink()
        got["readings_lost"] = world.event("readings_lost", 120)
        agent.kill(signal.SIGKILL)
        return got


def crowded():
    """Commands that fill the store while they wait for a clock."""
    with World("crowded") as world:
        world.fault("clock", "0 0")
        flags = world.flags("id=main,bus=rs485-1,unit=1,profile=pump,writable=yes", trust=False)
        agent = world.lab.agent(*flags, "--store-max-size", "8MiB", "--delivery", "receipt", env=faulty(world.faults))
        wait_for("the agent online", 10, lambda: world.all("status", state="online"))
        expires, sent = soon(3600), 0
        while agent.ask()["store"]["commands_without_room"] < 3 and sent < 4000:
            sent += 1
            world.send(f"w-{sent}" + "-" * 100, op="write", meter="main", point="limit", value=5, expires_at=expires,
                       pad="x" * (60000 if sent < 120 else 1))
        world.fault("clock", "0 1")  # now they are executed, which makes room
        got = {"commands_refused": world.event("commands_refused", 120)}
        agent.kill(signal.SIGKILL)
        return got


def remote():
    """Configurations from afar: one that nobody confirms, a wrong one, and one that stays."""
    with World("remote") as world:
        world.show()
        port = free_port()
        world.lab.sim("--tcp", port, "--meters", "1", name="tcp")
        meter = "id=main,bus=rs485-1,unit=1,profile=pump,every={}"
        world.lab.agent(*world.flags(meter.format("1s")), "--bus", f"name=spare,tcp=127.0.0.1:{port}",
                        "--remote", world.folder / "remote")

        def config(but=None):
            return wait_for("a configuration", 30, lambda: [c for s in world.all("status", state="online")[-1:]
                                                            if (c := json.loads(s)["config"]) != but])[0]

        got, old = {}, config()
        got["result-log"] = world.result("c-20", op="log", lines=1)
        world.result("c-21", op="read", route={"bus": "spare", "unit": 1}, registers={"table": "holding", "address": 0, "count": 1})
        got["result-trace"] = world.result("c-22", op="trace", bus="spare")
        wrong = f"meter = {meter.format('5s')}".replace("profile=pump", "profile=pmup")
        got["result-bad-config"] = world.result("c-23", op="configure", base=old, text=wrong)
        text = f"meter = {meter.format('5s')}\n"
        world.send("c-24", op="configure", base=old, text=text, confirm_within="10s")
        got["config_trial"] = world.event("config_trial", 30)
        got["result-configure-failed"], got["config_returned"] = world.result("c-24", 60), world.event("config_returned")
        wait_for("the old one again", 30, lambda: config() == old)
        world.send("c-25", op="configure", base=old, text=text, confirm_within="1m")
        new = config(but=old)
        got["result-confirm"] = world.result("c-26", op="confirm", config=new)
        got["result-configure"], got["config_confirmed"] = world.result("c-25"), world.event("config_confirmed")
        got["result-configuration"] = world.result("c-27", op="configuration")
        return got


def items():
    """A meter of DL/T 645: data items by route, and a password that it refuses."""
    with World("items") as world:
        line, password = world.folder / "ttyS2", world.folder / "password"
        world.lab.sim("--pty", line, "--baud", "9600", "--mode", "8E1", "--meter",
                      f"address=161,profile={ROOT}/drivers/profile/models/dlt645_1p.ini,password=654321", name="items")
        password.write_text("2 123456 00000001\n")
        password.chmod(0o600)
        agent = world.lab.agent(
            *world.flags(), "--bus", f"name=rs485-2,device={line},baud=9600,mode=8E1", "--meter",
            f"id=hall,bus=rs485-2,address=161,profile=dlt645_1p,writable=yes,password-file={password},utc-offset=+00:00")
        world.first("status", state="online")
        got = {"result-items": world.result("c-30", op="read", route={"bus": "rs485-2", "address": "161"},
                                            items=["00010000"]),
               "result-refused": world.result("c-31", op="write", meter="hall", point="relay", value="trip", expires_at=soon()),
               "password_refused": world.event("password_refused", 20)}
        agent.kill(signal.SIGTERM)
        return got


WORLDS = (plant, lacking, twins, full, crowded, remote, items)


def collect(only=None):
    """All worlds side by side: most of their time is waiting."""
    got, failures = {}, []

    def run(world):
        try:
            got.update(world())
        except Exception as why:  # pylint: disable=broad-except
            failures.append(f"{world.__name__}: {why!r}")

    threads = [threading.Thread(target=run, args=(world,)) for world in WORLDS if not only or world.__name__ in only]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise AssertionError("; ".join(failures))
    return got


if __name__ == "__main__":
    for name, text in collect(sys.argv[1:]).items():
        print(name, text)
