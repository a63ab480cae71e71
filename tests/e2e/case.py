"""What the end to end tests share: a laboratory a test, and the profile that most of them read."""
import unittest

from lab import AGENT, BUILD, Lab

COUNT_PROFILE = """[profile]
format = 1
name = count
maker = test
model = a counter that grows with each answered poll
[points]
count = holding 0 u32 kind=counter
limit = holding 50 u16 write=register
relay = holding 60 u16 enum=0:off|1:on write=register allow=0|1 verify=relay after 100ms
far   = holding 190 u16
"""


def faulty(folder):
    """What makes an agent, by its environment, load preload.c, which is told its faults in that folder."""
    library = f"{BUILD}/tests/e2e/faults.so"
    emulated = AGENT.read_bytes()[:2] == b"#!"  # the emulator itself is not to load it
    load = {"QEMU_SET_ENV": f"LD_PRELOAD={library}"} if emulated else {"LD_PRELOAD": library}
    return {**load, "METERGATE_FAULTS": str(folder)}


class GatewayTest(unittest.TestCase):
    def setUp(self):
        self.lab = Lab()
        (self.lab.folder / "profiles").mkdir()
        (self.lab.folder / "profiles" / "count.ini").write_text(COUNT_PROFILE)
        self.faults = self.lab.folder / "faults"
        self.faults.mkdir()
        self.line = self.lab.folder / "ttyS1"

    def tearDown(self):
        failed = any(error for _test, error in getattr(self._outcome, "errors", [])) or \
            any(getattr(self._outcome.result, kind) and getattr(self._outcome.result, kind)[-1][0] is self
                for kind in ("failures", "errors"))
        if failed:
            print(f"kept for a look: {self.lab.folder}")
        self.lab.close(keep=failed)

    def serial_sim(self, *argv, units="1-3", baud=19200, name="sim"):
        return self.lab.sim("--pty", self.line, "--baud", baud, "--mode", "8N1", "--meters", units, "--counter", "holding:0",
                            *argv, name=name)

    def flags(self, broker, *more, units=(1, 2, 3), every="250ms", bus_more="", meter_more=""):
        upstream = broker if isinstance(broker, str) else f"mqtt://127.0.0.1:{broker.port}"
        meters = []
        for unit in units:
            schedule = f",every={every},points=count" if every else ""
            meters += ["--meter", f"id=m{unit},bus=rs485-1,unit={unit},profile=count,writable=yes{schedule}{meter_more}"]
        return ["--gateway-id", "gw", "--bus", f"name=rs485-1,device={self.line},baud=19200,mode=8N1{bus_more}", *meters,
                "--profile-dir", self.lab.folder / "profiles", "--upstream", upstream, "--trust-clock",
                "--store", self.lab.folder / "metergate.db", "--backoff-min", "200ms", "--backoff-max", "1s", *more]

    def fault(self, name, text=""):
        (self.faults / name).write_text(text)

    def heal(self, name):
        (self.faults / name).unlink(missing_ok=True)

    def noted(self, name):
        path = self.faults / name
        return path.read_text().count("\n") if path.exists() else 0

    def faulty(self):
        return faulty(self.faults)
