"""A disk of 16 MiB that somebody else filled: commands are executed all the same, and with the room everything comes back by itself."""
import os
import subprocess
import sys
import time
import unittest

from case import GatewayTest
from lab import free_port, wait_for

NOT_HERE = 77  # ctest takes it for skipped
INSIDE = "LAB_NAMESPACE"
DISK = 16 << 20


def in_own_namespace():
    """Runs this file again in a mount namespace of its own: what is mounted there is seen by nobody else and goes with it."""
    for way in (["unshare", "--mount"], ["unshare", "--mount", "--map-root-user"]):
        if subprocess.run([*way, "true"], capture_output=True).returncode == 0:
            return subprocess.run([*way, sys.executable, "-B", __file__, *sys.argv[1:]], env={**os.environ, INSIDE: "1"}).returncode
    print("SKIPPED: this machine lets nobody make a mount namespace (unshare --mount), so there is no disk to fill")
    return NOT_HERE


class FullDisk(GatewayTest):
    def setUp(self):
        super().setUp()
        self.disk = self.lab.folder / "disk"
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "metergate-test", self.disk], check=True)
        self.addCleanup(lambda: subprocess.run(["umount", "--lazy", self.disk], check=True))
        port = free_port()
        self.sim = self.lab.sim("--tcp", port, "--meters", "1-3", "--counter", "holding:0")
        self.broker = self.lab.broker()
        self.backend = self.lab.backend(self.broker.port)
        self.proxy = self.lab.proxy(self.broker.port)
        meters = [w for unit in (1, 2, 3) for w in ("--meter", f"id=m{unit},bus=b,unit={unit},profile=count,every=20ms,points=count")]
        self.agent = self.lab.agent(
            "--gateway-id", "gw", "--bus", f"name=b,tcp=127.0.0.1:{port}", *meters, "--profile-dir", self.lab.folder / "profiles",
            "--upstream", f"mqtt://127.0.0.1:{self.proxy.port}", "--store", self.disk / "metergate.db", "--commit-every", "200ms",
            "--backoff-min", "200ms", "--backoff-max", "1s")
        wait_for("readings", 10, lambda: len(self.backend.all("readings")) > 20)

    def fill(self):
        """A foreign file over all that is free."""
        with open(self.disk / "foreign", "ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass

    def free(self):
        disk = os.statvfs(self.disk)
        return disk.f_bavail * disk.f_frsize

    def store(self):
        return self.agent.ask()["store"]

    def read(self, ident):
        self.backend.send({"id": ident, "op": "read", "meter": "m1", "points": ["count"]})
        return self.backend.result(ident)

    def told(self):
        """(epoch, number) of every reading that an event says is gone."""
        return {(e["detail"]["epoch"], n) for e in self.backend.events("records_dropped") if e["detail"]["lane"] == "readings"
                for n in range(e["detail"]["from_seq"], e["detail"]["to_seq"] + 1)}

    def test_commands_go_on_while_it_is_full_and_everything_comes_back_with_the_room(self):
        self.proxy.away = True  # so that what has to go was not delivered
        self.proxy.cut()
        self.fill()
        wait_for("readings that had to go", 30, lambda: self.store()["readings"]["dropped"] > 0 or self.store()["readings_lost"] > 0)
        self.proxy.away = False
        wait_for("the agent back", 5, lambda: self.agent.ask()["uplink"]["connected"])
        for n in range(20):
            self.assertEqual(self.read(f"full-{n}")["status"], "done")
        self.assertLess(self.free(), 2 << 20, "the disk is not full")

        (self.disk / "foreign").unlink()
        begin = time.time()
        wait_for("readings taken after the file went", 20, lambda: any(self.unix(r) > begin + 1 for r in self.backend.all("readings")))
        wait_for("the room to be used again", 20, lambda: (self.disk / "metergate.db.ballast").exists())
        time.sleep(2)
        dropped, lost = self.store()["readings"]["dropped"], self.store()["readings_lost"]
        self.assertEqual(self.agent.kill(15), 0)
        wait_for("the last word", 10, lambda: any(s["state"] == "offline" and "last" in s for s in self.backend.status))
        time.sleep(0.5)

        gaps = {(key[0], n) for key, numbers in self.backend.gaps().items() for n in numbers if key[1] == "readings"}
        self.assertEqual(gaps - self.told(), set())  # what was in flight when it had to go may have come all the same
        self.assertEqual(len(self.told()), dropped)
        self.assertEqual(sum(e["detail"]["count"] for e in self.backend.events("readings_lost")), lost)
        self.assertGreater(dropped + lost, 0)
        self.assertEqual(self.backend.conflicts, [])
        print(f"dropped {dropped}, lost before they had a number {lost}, arrived {len(self.backend.all('readings'))}")

    @staticmethod
    def unix(reading):
        return time.mktime(time.strptime(reading["at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


if __name__ == "__main__":
    if INSIDE not in os.environ:
        sys.exit(in_own_namespace())
    unittest.main(verbosity=2)
