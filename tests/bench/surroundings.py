"""What the measurements have in common: the lab of the end-to-end tests, a profile, and what a process costs."""
import json
import os
import pathlib
import socket
import sys
import time

sys.path.insert(1, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from lab import BUILD, ROOT, Lab, free_port, wait_for  # noqa: E402,F401

TICKS = os.sysconf("SC_CLK_TCK")


def profile(registers):
    """Of so many registers in a row."""
    points = "".join(f"p{i} = holding {2 * i} u32\n" for i in range(registers // 2))
    odd = f"last = holding {registers - 1} u16\n" if registers % 2 else ""
    return f"[profile]\nformat = 1\nname = bench\nmaker = bench\nmodel = {registers} registers\n[points]\n{points}{odd}"


def gateway(lab, broker, registers=20):
    """Flags of an agent whose meters have the profile `bench`."""
    (lab.folder / "bench.ini").write_text(profile(registers))
    return ["--gateway-id", "gw", "--profile-dir", lab.folder, "--upstream", f"mqtt://127.0.0.1:{broker.port}",
            "--store", lab.folder / "metergate.db"]


def free_ports(count):
    """The first of so many in a row."""
    for _ in range(50):
        first, held = free_port(), []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
            return first
        except (OSError, OverflowError):
            continue
        finally:
            for each in held:
                each.close()
    raise AssertionError(f"no {count} free ports in a row")


class Cost:
    """What a process used since the last look: `of(pid)`, then `since()`."""

    def __init__(self, process):
        self.pid = process.child.pid
        self.begin, self.cpu, self.written = time.monotonic(), self._cpu(), self._written()

    def _cpu(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def _written(self):
        lines = dict(line.split(": ") for line in pathlib.Path(f"/proc/{self.pid}/io").read_text().splitlines())
        return int(lines["write_bytes"])

    def cpu_percent(self):
        return round(100 * (self._cpu() - self.cpu) / (time.monotonic() - self.begin), 2)

    def bytes_written(self):
        return self._written() - self.written

    def memory_mib(self):
        """Resident, and the proportional share of what others have too."""
        text = pathlib.Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        found = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines() if line.startswith(("Rss", "Pss:"))}
        return round(found["Rss"] / 1024, 1), round(found["Pss"] / 1024, 1)

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))


def lines_of(sim, lab):
    """Ends the simulator and gives its statistics of each line."""
    sim.kill(15)
    return list(json.loads((lab.folder / "stats.json").read_text())["lines"].values())
