"""Both commands of the device cloud, synchronous and asynchronous, through the whole chain: user, backend, RabbitMQ and Redis,
two gateways, ten meters (one of them dead). Prints each step with the time since the user's request. Ends by itself."""
import argparse
import contextlib
import datetime
import json
import signal
import sys
import time

from user import Address
from world import TESTS, World, wait_for

POINTS = ["active_energy_import", "voltage_l1", "active_power"]
DEVICES = {f"meter-{n:02d}": ("plant-1" if n <= 5 else "plant-2", f"m{n}") for n in range(1, 11)}
DEAD = "meter-03"
PROFILE = TESTS.parent / "drivers" / "profile" / "models" / "sdm630.ini"


# The device cloud's sequence. The asynchronous one is the same, but nobody polls: an operations centre looks later, or is called.
# Here 6 comes before 4 (a command that is in the db is sent, whatever breaks), 5 with the first poll, 14 with 15: Redis is a copy.
SYNCHRONOUS = """
   1  user     -> backend    issue a meter-reading command           10  ipc      -> meter      send the reading command
   2  backend  -> db         get the device's record                 11  meter    -> ipc        the reading
   3  backend  -> backend    assemble the command message            12  ipc      -> rabbitmq   send the result message
   4  backend  -> rabbitmq   put the command on the queue            13  backend  <- rabbitmq   hears the result
   5  backend  -> redis      make the command's key                  14  backend  -> redis      look the device up, join it
   6  backend  -> db         record the operation                    15  backend  -> db         record the reading
   7  backend  -> user       a callback address to go to             16  user     -> backend    polls once a second
   8  ipc      <- rabbitmq   listens on its queue                    17  backend  -> redis      query the result
   9  ipc      -> ipc        parse message and route                 18  backend  -> user       the reading"""


class Steps:
    """Prints what happens, with the seconds since `begin` and the number of the step in SYNCHRONOUS."""

    def begin(self, title):
        self.start = time.time()
        print(f"\n== {title}\n")

    def say(self, who, what, at=None, step=""):
        print(f"  {(at or time.time()) - self.start:8.3f} s {step:>7}  {who:<22}{what}", flush=True)


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def short(device, result):
    if result is None:
        return f"{device} ..."
    if result["status"] != "done":
        return f"{device} {result['status']}: {result['error']['code']}"
    return f"{device} " + " ".join(f"{point}={value}" for point, value in result["values"].items())


def start_meters(world):
    """A serial line at 9600 baud and a Modbus TCP endpoint, five meters on each."""
    def five(first):
        return [word for unit in range(first, first + 5) for word in ("--meter", f"unit={unit},profile={PROFILE},turn=20ms")]

    line = world.lab.folder / "ttyS1"
    world.meters("line", "--pty", line, "--baud", 9600, "--mode", "8N1", *five(1), "--fault", f"silent={int(DEAD[-2:])}")
    return line, world.meters("tcp", "--tcp", 0, *five(6))


def start_gateways(world, line, tcp_port, receipts):
    buses = {"plant-1": f"name=bus,device={line},baud=9600,mode=8N1,timeout=500ms",
             "plant-2": f"name=bus,tcp=127.0.0.1:{tcp_port}"}
    agents = {}
    for name, bus in buses.items():
        flags = ["--bus", bus, *(["--delivery", "receipt"] if receipts else [])]
        for device, (gateway, meter) in DEVICES.items():
            every = ",every=15s" if gateway == "plant-1" else ""  # plant-2 reads on command only: so its reads can be counted
            if gateway == name:
                flags += ["--meter", f"id={meter},bus=bus,unit={int(device[-2:])},profile={PROFILE.stem}{every}"]
        agents[name] = world.gateway(name, *flags)
    return agents


def synchronous(backend, steps):
    print(SYNCHRONOUS)
    steps.begin(f"The synchronous command: ten meters on two gateways, {DEAD} is dead; the user polls once a second")
    steps.say("user -> backend", f"POST /orders: read {', '.join(POINTS)} of {len(DEVICES)} meters", step="1")
    order = backend.order(list(DEVICES), POINTS, expires_in=30)
    steps.say("backend -> db", f"{len(DEVICES)} operations, in one transaction", step="2,3,6")
    steps.say("backend -> user", f"202 accepted: poll /orders/{order}", step="7")
    seen = {}
    for poll in range(1, 16):
        time.sleep(max(0, steps.start + poll - time.time()))
        results = backend.poll(order)
        done = [device for device, result in results.items() if result]
        steps.say("user polls", f"{len(done)} of {len(results)} are there", step="16-18")
        for device in sorted(set(done) - seen.keys()):
            seen[device] = time.time()
            print(f"{'':45}{short(device, results[device])}")
        if len(done) == len(results):
            break
    table(backend, order, seen, steps.start)
    answers = backend.poll(order)
    return all(answers[d] and answers[d]["status"] == ("failed" if d == DEAD else "done") for d in DEVICES)


def table(backend, order, seen, start):
    """Where the time went. All clocks are this machine's."""
    print("\n  ms since the user's request:\n"
          "  step                       8,9           10            11          15                 18\n"
          "  device    gateway   at gateway   on the bus   off the bus   in the db   seen by the user   status")
    for device, gateway, at, result in backend.db.rows(
            "SELECT device, gateway, answered_at, result FROM operations WHERE orderid = ? ORDER BY device", order):
        if result is None:
            print(f"  {device}  {gateway}   no result")
            continue
        result = json.loads(result)
        times = [seconds(result[name]) if name in result else None for name in ("received_at", "started_at", "finished_at")]
        times += [at, seen.get(device)]
        cells = ["-" if t is None else f"{(t - start) * 1000:.0f}" for t in times]
        print(f"  {device}  {gateway}{cells[0]:>13}{cells[1]:>13}{cells[2]:>14}{cells[3]:>12}{cells[4]:>19}   {result['status']}")


def asynchronous(world, backend, agent, meters, steps):
    steps.begin("The asynchronous command: plant-2 is offline when it is sent")
    agent.kill(signal.SIGTERM)
    world.await_state(backend, "plant-2", "offline")
    before = len(meters.frames("request"))
    steps.say("plant-2", "is stopped; its status says offline")
    steps.start = time.time()
    address = Address()
    late = backend.order(["meter-06", "meter-07"], POINTS, callback=address.url())
    soon = backend.order(["meter-08"], POINTS, expires_in=3)
    steps.say("user -> backend", "read meter-06 and meter-07, whenever, and call me; read meter-08 within 3 s", step="1")
    steps.say("backend -> user", "accepted", step="2,3,6,7")
    wait_for("the confirm", 30, lambda: min(sent(backend, late).values()) >= 1)
    steps.say("backend -> rabbitmq", "the commands wait in plant-2's own queue", step="4")
    wait_for("the repeat of the commands", 30, lambda: min(sent(backend, late).values()) >= 2)
    steps.say("backend -> rabbitmq", "no result in time: again with the same ids. Two copies of each wait now", step="4")
    agent.start()
    steps.say("plant-2", "is started again")
    results = wait_for("all results", 30, lambda: answered(backend, late, soon))
    for device, result in sorted(results.items()):
        at = backend.db.rows("SELECT answered_at FROM operations WHERE command = ?", result["command"])[0][0]
        steps.say("operations centre", short(device, result), at, "8-15")
    call = address.calls.get(timeout=20)
    steps.say("backend -> user", f"calls {address.url()}: order {call['order']} is complete", step="18")
    address.close()
    time.sleep(1.5)  # a copy that was executed again would show by now
    reads = {unit: sum(f["unit"] == unit for f in meters.frames("request")[before:]) for unit in (6, 7, 8)}
    once = reads[6] // max(1, requests_of_one_read(backend, meters))
    print(f"\n  Read commands sent / executed: meter-06 {sent(backend, late)['meter-06']} / {once}, meter-08 "
          f"{sent(backend, soon)['meter-08']} / {reads[8]} (expired: its turn came too late)")
    return call["order"] == late and once == 1 and reads[6] == reads[7] and reads[8] == 0 and results["meter-08"]["status"] == "expired"


def requests_of_one_read(backend, meters):
    """How many requests one read of these points takes: measured."""
    before = len(meters.frames("request"))
    order = backend.order(["meter-09"], POINTS)
    wait_for("one more result", 10, lambda: answered(backend, order))
    return sum(f["unit"] == 9 for f in meters.frames("request")[before:])


def sent(backend, order):
    return dict(backend.db.rows("SELECT device, sent FROM operations WHERE orderid = ?", order))


def answered(backend, *orders):
    results = {device: result for order in orders for device, result in backend.poll(order).items()}
    return results if all(results.values()) else None


def nobody(backend, steps):
    steps.begin("A command for a gateway that does not exist")
    order = backend.order(["meter-99"], POINTS, expires_in=30)
    steps.say("user -> backend", "read meter-99, on plant-9")
    result = wait_for("an answer", 10, lambda: answered(backend, order))
    steps.say("operations centre", short("meter-99", result["meter-99"]) + " (by metergate.unrouted)")
    return result["meter-99"]["error"]["code"] == "no_such_gateway"


def books(backend):
    """What the gateways say that they had to send, against what is in the db."""
    print("\n== The backend's books\n")
    sent = {}
    for gateway, text in backend.db.rows("SELECT gateway, status FROM gateways"):  # the last word of each
        status = json.loads(text)
        sent.update({(gateway, status["epoch"], lane): last for lane, last in status["last"].items() if last})
    with contextlib.suppress(AssertionError):
        wait_for("the last records", 20, lambda: sent.items() <= {tuple(lane): have for *lane, have, _ in backend.db.account()}.items())
    stored = 0
    for gateway, epoch, lane, have, highest in backend.db.account():
        print(f"  {gateway}/{epoch}/{lane}: {have} records of {sent.setdefault((gateway, epoch, lane), highest)}")
        stored += have
    gaps = backend.db.gaps()
    for *lane, first, last in gaps:
        print(f"  open question: {'/'.join(lane)} {first} to {last} did not come")
    aside = backend.db.rows("SELECT routing_key, why FROM aside")
    for key, why in aside:
        print(f"  set aside: {key}: {why}")
    print("  gaps: " + ("none" if not gaps else str(len(gaps))) + "; set aside: " + str(len(aside) or "nothing"))
    (repeats,), = backend.db.rows("SELECT sum(repeats) FROM counters")
    missing = sum(sent.values()) - stored
    print(f"\n  sent {sum(sent.values())}, stored {stored}, repeats {repeats}, missing {missing or 'none'}")
    return not gaps and not aside and not missing


def run(receipts, replay, postgres, consumers, kafka):
    begin = time.monotonic()
    steps = Steps()
    steps.begin(f"Starting RabbitMQ with the shipped settings, Redis, {'PostgreSQL, ' if postgres else ''}{'Kafka, ' if kafka else ''}two gateways and ten "
                "simulated meters")
    with World("plant-1", "plant-2", postgres=postgres, kafka=kafka,
               shards=2 * consumers if consumers > 1 or kafka else 0) as world:
        steps.say("rabbitmq", f"up after {world.rabbit.took:.1f} s, port {world.rabbit.amqp} (AMQP), {world.rabbit.mqtt} (MQTT)")
        if kafka:
            world.bridges(consumers)
            world.log_consumers(consumers)
            steps.say("backend", f"{consumers} bridges of {world.shards} queues into Kafka's log, {consumers} consumers of that")
        elif consumers > 1:
            world.consumers(consumers, receipts=receipts)
            steps.say("backend", f"{consumers} consumers of {world.shards} queues behind a consistent-hash exchange")
        backend = world.web({**DEVICES, "meter-99": ("plant-9", "m99")}, *["--replay"] * replay, *["--receipts"] * receipts)
        backend.db = world.db()
        line, tcp = start_meters(world)
        agents = start_gateways(world, line, tcp.ports()[0], receipts)
        for name in agents:
            world.await_state(backend, name, "online")
            steps.say(name, "online")
        good = [synchronous(backend, steps), asynchronous(world, backend, agents["plant-2"], tcp, steps), nobody(backend, steps)]
        for agent in agents.values():
            agent.kill(signal.SIGTERM)
        for name in agents:
            world.await_state(backend, name, "offline")
        good.append(books(backend))
    print(f"\n{'Everything as promised' if all(good) else 'NOT AS PROMISED, see above'}; {time.monotonic() - begin:.0f} s")
    return 0 if all(good) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipts", action="store_true", help="gateways run with --delivery receipt: a record counts as "
                        "delivered when it is in the backend's db")
    parser.add_argument("--replay", action="store_true", help="the backend asks for records that are missing; else a gap "
                        "stays an open question")
    parser.add_argument("--postgres", action="store_true", help="the db is PostgreSQL, on a port of its own; else SQLite")
    parser.add_argument("--consumers", type=int, default=1, metavar="N", help="so many processes take what comes from the gateways; "
                        "needs --postgres")
    parser.add_argument("--kafka", action="store_true", help="what comes from the gateways goes through Kafka, three brokers from "
                        "Maven's jars; with PostgreSQL")
    given = parser.parse_args()
    given.postgres = given.postgres or given.kafka
    if given.kafka and given.receipts:
        parser.error("--receipts: the consumers of the log send none")
    if given.consumers > 1 and not given.postgres:
        parser.error("SQLite has one writer at a time: --consumers needs --postgres")
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda *_: sys.exit(1))  # so that everything is ended here, too
    return run(given.receipts, given.replay, given.postgres, given.consumers, given.kafka)


if __name__ == "__main__":
    sys.exit(main())
