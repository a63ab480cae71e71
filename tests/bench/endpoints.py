"""Meters behind TCP endpoints, polled each second: what the agent costs."""
import time

from surroundings import Cost, Lab, free_ports, gateway, wait_for


def tcp(units, endpoints, seconds):
    """So many meters of 20 registers, spread over the endpoints."""
    lab = Lab()
    try:
        broker, port = lab.broker(), free_ports(endpoints)
        each = -(-units // endpoints)
        lab.sim("--tcp", port, "--meters", f"1-{each}", *(["--tcp-endpoints", endpoints] if endpoints > 1 else []))
        flags = gateway(lab, broker)
        for e in range(endpoints):
            flags += ["--bus", f"name=b{e},tcp=127.0.0.1:{port + e}"]
        for u in range(units):
            flags += ["--meter", f"id=m{u},bus=b{u % endpoints},unit={u // endpoints + 1},profile=bench,every=1s"]
        agent = lab.agent(*flags)

        def delivered():
            return agent.ask()["store"]["readings"]["delivered"]

        wait_for("readings", 30, lambda: agent.control.exists() and delivered() > 2 * units)
        cost, count = Cost(agent), delivered()
        time.sleep(seconds)
        readings = delivered() - count
        rss, pss = cost.memory_mib()
        return {"cpu_percent": cost.cpu_percent(), "rss_mib": rss, "pss_mib": pss, "threads": cost.threads(),
                "readings_per_s": round(readings / (time.monotonic() - cost.begin), 1),
                "disk_bytes_per_reading": round(cost.bytes_written() / max(1, readings))}
    finally:
        lab.close()
