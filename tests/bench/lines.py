"""Serial lines: how much of what the wire allows, and how long a command takes."""
import time

from surroundings import ROOT, Cost, Lab, gateway, lines_of, wait_for

BAUDS = (9600, 19200, 115200)
REGISTERS = (2, 10, 20, 50, 125)
TURNAROUNDS = (0, 20, 50)


def utilisation(baud, registers, turnaround, seconds):
    """Four meters, one block of registers each, back to back on one line."""
    lab = Lab()
    try:
        broker, tty = lab.broker(), lab.folder / "line"
        sim = lab.sim("--pty", tty, "--baud", baud, "--mode", "8N1", "--meters", "1-4", "--turn", f"{turnaround}ms", "--fifo", 256,
                      "--stats", lab.folder / "stats.json")
        meters = sum((["--meter", f"id=m{u},bus=b,unit={u},profile=bench,every=0s"] for u in range(1, 5)), [])
        agent = lab.agent(*gateway(lab, broker, registers), "--bus", f"name=b,device={tty},baud={baud},mode=8N1", *meters)
        wait_for("the first answers", 20, lambda: agent.control.exists() and agent.ask()["buses"][0]["answers"] > 8)
        sim.tell("reset")
        time.sleep(seconds)
        line = lines_of(sim, lab)[0]
        return {"utilisation_percent": round(100 * line["utilisation"], 1), "requests": line["requests"],
                "t35_violations": line["t35_violations"], "simulator_jitter_us": round(line["jitter_us"]["mean"])}
    finally:
        lab.close()


def matrix(seconds):
    return {f"{baud} baud, {n} registers, turnaround {turn} ms": utilisation(baud, n, turn, seconds)
            for baud in BAUDS for n in REGISTERS for turn in TURNAROUNDS}


def commands_on_a_saturated_bus(seconds):
    """Ten meters of 20 registers on one 9600 baud line, back to back, with commands in between."""
    lab = Lab()
    try:
        broker, tty = lab.broker(), lab.folder / "line"
        sim = lab.sim("--pty", tty, "--baud", 9600, "--mode", "8N1", "--meters", "1-10", "--stats", lab.folder / "stats.json")
        backend = lab.backend(broker.port)
        meters = sum((["--meter", f"id=m{u},bus=b,unit={u},profile=bench,every=0s"] for u in range(1, 11)), [])
        lab.agent(*gateway(lab, broker), "--bus", f"name=b,device={tty},baud=9600,mode=8N1", *meters)
        wait_for("readings", 20, lambda: len(backend.all("readings")) > 10)
        sim.tell("reset")
        time.sleep(seconds)
        latencies = []
        for n in range(40):
            begin = time.monotonic()
            backend.send({"id": f"c{n}", "op": "read", "route": {"bus": "b", "unit": 1 + n % 10},
                          "registers": {"table": "holding", "address": 0, "count": 2}})
            backend.result(f"c{n}")
            latencies.append((time.monotonic() - begin) * 1000)
            time.sleep(0.1 + 0.013 * (n % 7))
        line = lines_of(sim, lab)[0]
        latencies.sort()
        return {"utilisation_percent": round(100 * line["utilisation"], 1), "requests": line["requests"],
                "t35_violations": line["t35_violations"], "simulator_jitter_us": round(line["jitter_us"]["mean"]),
                "command_ms_p50": round(latencies[20], 1), "command_ms_p95": round(latencies[37], 1)}
    finally:
        lab.close()


def dlt645(baud, turnaround, seconds):
    """Four DL/T 645 meters with eight items each, back to back on one line."""
    lab = Lab()
    try:
        broker, tty = lab.broker(), lab.folder / "line"
        model = ROOT / "drivers" / "profile" / "models" / "dlt645_1p.ini"
        sim = lab.sim("--pty", tty, "--baud", baud, "--mode", "8E1", "--fifo", 256, "--stats", lab.folder / "stats.json",
                      *sum((["--meter", f"address={n},profile={model},turn={turnaround}ms"] for n in range(1, 5)), []))
        points = "active_energy_import+active_energy_export+voltage_l1+current_l1+active_power+power_factor+frequency+relay"
        meters = sum((["--meter", f"id=m{n},bus=b,address={n},profile=dlt645_1p,every=0s,points={points}"]
                      for n in range(1, 5)), [])
        agent = lab.agent(*gateway(lab, broker), "--bus", f"name=b,device={tty},baud={baud},mode=8E1", *meters)
        wait_for("the first answers", 30, lambda: agent.control.exists() and agent.ask()["buses"][0]["answers"] > 8)
        sim.tell("reset")
        time.sleep(seconds)
        line = lines_of(sim, lab)[0]
        return {"utilisation_percent": round(100 * line["utilisation"], 1), "requests": line["requests"],
                "simulator_jitter_us": round(line["jitter_us"]["mean"])}
    finally:
        lab.close()


def buses(count, seconds):
    """So many 9600 baud lines with one meter of 20 registers each, back to back; answers are handed over frame by frame."""
    lab = Lab()
    try:
        broker = lab.broker()
        ttys = [lab.folder / f"line{i}" for i in range(count)]
        sim = lab.sim(*sum((["--pty", tty] for tty in ttys), []), "--baud", 9600, "--mode", "8N1", "--meters", "1", "--fifo", 256,
                      "--stats", lab.folder / "stats.json")
        flags = gateway(lab, broker)
        for i, tty in enumerate(ttys):
            flags += ["--bus", f"name=b{i},device={tty},baud=9600,mode=8N1", "--meter", f"id=m{i},bus=b{i},unit=1,profile=bench,every=0s"]
        agent = lab.agent(*flags)
        wait_for("the first answers", 30, lambda: agent.control.exists() and all(b["answers"] > 8 for b in agent.ask()["buses"]))
        sim.tell("reset")
        cost, simulator = Cost(agent), Cost(sim)
        time.sleep(seconds)
        found = {"cpu_percent": cost.cpu_percent(), "simulator_cpu_percent": simulator.cpu_percent(),
                 "rss_mib": cost.memory_mib()[0], "threads": cost.threads()}
        lines = lines_of(sim, lab)
        shares = sorted(100 * line["utilisation"] for line in lines)
        return {"utilisation_percent": round(sum(shares) / count, 1), "worst_bus_percent": round(shares[0], 1),
                "t35_violations": sum(line["t35_violations"] for line in lines), **found}
    finally:
        lab.close()
