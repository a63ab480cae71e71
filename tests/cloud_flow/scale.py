"""How many records a second 1, 2 and 4 consumers take from full queues into PostgreSQL, on this machine, broker included.

    scale.py [--consumers 1,2,4] [--messages 20000] [--records 5] [--points 20] [--values column|rows] [--kill]
    scale.py --backlog 10 [--messages 100000] ...

Fills the queues first, then starts the consumers: what is measured is theirs. --kill: one of several is killed in the middle.
--backlog: one consumer beside a mover into so many queues with as many consumers."""
import argparse
import os
import pathlib
import sys
import time

from world import World, sharding, wait_for

SHARDS = 8
EMPTY = 3.0  # seconds of nothing by which a program sees that a queue is empty


def cpu(*pids):
    """Seconds of processor that these processes and their children have used."""
    used = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # has ended
        pid, parent = int(stat.parent.name), int(fields[1])
        if pid in pids:
            used += sum(map(int, fields[11:15]))  # also of its children that have ended
        elif parent in pids:
            used += sum(map(int, fields[11:13]))
    return used / os.sysconf("SC_CLK_TCK")


def measure(world, count, given):
    place = world.postgres.new_database()
    world.settings.db, world.settings.db_options = place, {"values": given.values}
    db = world.settings.open_db()
    filled = world.load_ended(world.load(f"load-{count}", gateways=100, messages=given.messages, records=given.records,
                                         points=given.points), 600)

    def stored():
        return int(db.rows("SELECT coalesce(sum(highest), 0) FROM lanes")[0][0])

    consumers = world.consumers(count)
    wait_for("the first record", 60, stored)
    groups = [[consumer.child.pid for consumer in consumers], [world.postgres.child.pid], [world.rabbit.child.pid]]
    begin, first, used = time.monotonic(), stored(), [cpu(*group) for group in groups]
    if given.kill and count > 1:
        wait_for("the middle", 600, lambda: stored() > filled["records"] / 2)
        consumers[-1].kill()
    wait_for("the last record", 600, lambda: stored() == filled["records"])
    seconds = time.monotonic() - begin
    spent = [(cpu(*group) - before) * 1e6 / (filled["records"] - first) for group, before in zip(groups, used)]
    (repeats,), = db.rows("SELECT sum(repeats) FROM counters")
    have, = db.rows("SELECT count(*) FROM records")[0]
    for consumer in consumers:
        consumer.kill()
    db.close()
    print(f"{count:>9} {filled['records'] / filled['seconds']:>14,.0f} {(filled['records'] - first) / seconds:>16,.0f} "
          f"{filled['records']:>10,} {have:>10,} {repeats:>8,} {'yes' if given.kill and count > 1 else 'no':>7} "
          f"{os.getloadavg()[0]:>6.1f} {spent[0]:>11.0f} {spent[1]:>10.0f} {spent[2]:>10.0f}", flush=True)


def measure_backlog(world, given):
    """The same full queues, emptied once by one consumer, and once moved and taken by many."""
    fill = {"gateways": 100, "messages": given.messages, "records": given.records, "points": given.points}
    world.rabbit.ctl("add_user", "operator", "word")
    world.rabbit.ctl("set_permissions", "operator", ".*", ".*", ".*")
    operator = world.settings_file(amqp=world.amqp("operator", "word"))
    queues = sharding.queues(SHARDS)

    def ended(*programs):
        begin = time.monotonic()
        for program in programs:
            assert program.child.wait(1800) == 0, program.log()
        return time.monotonic() - begin

    for way in ("one", "many"):
        world.settings.db = world.postgres.new_database()
        settings = world.settings_file()
        sent = world.load_ended(world.load(f"load-{way}", **fill), 1800)["records"]
        if way == "one":
            words = "consume", "--settings", settings, "--shards", SHARDS, "--until-empty"
            print(f"one consumer: {sent / (ended(world.program('one', *words)) - EMPTY):,.0f} records/s", flush=True)
            continue
        moved = ended(world.program("move", "move", "--settings", operator, "--backlog", given.backlog, *queues)) - EMPTY
        print(f"moved into {given.backlog} queues: {given.messages / moved:,.0f} messages/s", flush=True)
        many = [world.program(f"many-{n}", "consume", "--settings", settings, "--backlog", given.backlog, "--number", n,
                              "--consumers", given.backlog, "--until-empty") for n in range(given.backlog)]
        print(f"{given.backlog} consumers: {sent / (ended(*many) - EMPTY):,.0f} records/s; load {os.getloadavg()[0]:.1f}", flush=True)
        stored, = world.settings.open_db().rows("SELECT count(*) FROM records")[0]
        print(f"sent {sent}, stored {stored}, missing {sent - stored or 'none'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--consumers", default="1,2,4")
    parser.add_argument("--messages", type=int, default=20000)
    parser.add_argument("--records", type=int, default=5, help="of a message")
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--values", choices=("column", "rows"), default="column", help="a row a record, or also a row a value")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--backlog", type=int, metavar="COUNT")
    given = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before; {given.records} records a message, {given.points} points, "
          f"values: {given.values}\nconsumers  published/s  taken records/s       sent     stored  repeats  killed   load   consumers   postgres   rabbitmq\n"
          f"{'microseconds of processor a record:':>108}", flush=True)
    with World(postgres=True, shards=SHARDS) as world:
        if given.backlog:
            measure_backlog(world, given)
            return 0
        for count in map(int, given.consumers.split(",")):
            measure(world, count, given)
    return 0


if __name__ == "__main__":
    sys.exit(main())
