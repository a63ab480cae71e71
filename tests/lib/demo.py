"""What tests/demo shows, once everything is built. Usage: demo.py BUILD_FOLDER"""

import contextlib
import datetime
import os
import queue
import shlex
import signal
import sys
import tempfile
import time

from backend import Backend, parse
from broker import Broker
from child import end, start
from metersim import MeterSim

PROFILES = "drivers/profile/models/%s.ini"
ON_LINE = {"hall": (1, "sdm630"), "workshop": (2, "abb_b23"), "office": (3, "umg96rm")}
ON_TCP = {"plant": (4, "em340")}
KIOSK, KIOSK_UNIT = "000000000161", 1000  # a DL/T 645 meter between the others on the line; its number in the simulator's log
KIOSK_POINTS = "active_energy_*+voltage_l1+current_*+active_power+power_factor+frequency+serial_number"
SHOWN = ("voltage_l1", "active_power", "active_energy_import")


def heading(text):
    print("\n== %s ==" % text, flush=True)


def say(text):
    print(text, flush=True)


class Demo:
    def __init__(self, build, folder, stack):
        self.folder = folder
        self.failures = []
        self.shown_status = None
        sim = os.path.join(build, "tests/sim/metersim")
        self.device = os.path.join(folder, "rs485-1")
        self.line = stack.enter_context(MeterSim(
            sim, folder, "--pty", self.device, "--baud", 9600, "--mode", "8N1", "--turn", "20ms", "--log-values",
            *self.meters(ON_LINE), "--meter", "address=%s,profile=%s" % (KIOSK, PROFILES % "dlt645_1p"), name="line"))
        self.tcp = stack.enter_context(MeterSim(sim, folder, "--tcp", 0, "--log-values", *self.meters(ON_TCP), name="tcp"))
        self.broker = Broker(folder)
        self.broker.start()
        stack.callback(self.broker.stop)
        self.backend = Backend(self.broker.port, "demo")
        stack.callback(self.backend.close)
        self.agent = self.start_agent(build)
        stack.callback(lambda: end(self.agent))

    @staticmethod
    def meters(meters):
        for unit, profile in meters.values():
            yield from ("--meter", "unit=%d,profile=%s" % (unit, PROFILES % profile))

    def start_agent(self, build):
        command = [os.path.join(build, "agent/metergate"), "run", "--gateway-id", "demo",
                   "--bus", "name=rs485-1,device=%s,baud=9600,mode=8N1" % self.device,
                   "--bus", "name=plant,tcp=127.0.0.1:%d" % self.tcp.ports()[0]]
        for bus, meters in (("rs485-1", ON_LINE), ("plant", ON_TCP)):
            for name, (unit, profile) in meters.items():
                command += ["--meter", "id=%s,bus=%s,unit=%d,profile=%s,every=5s" % (name, bus, unit, profile)]
        command += ["--meter", "id=kiosk,bus=rs485-1,address=%s,profile=dlt645_1p,every=5s,points=%s" % (KIOSK, KIOSK_POINTS)]
        command += ["--upstream", "mqtt://127.0.0.1:%d" % self.broker.port, "--store", os.path.join(self.folder, "metergate.db"),
                    "--control", os.path.join(self.folder, "control"), "--backoff-max", "2s"]
        say(shlex.join(command).replace(" --", " \\\n    --"))
        self.agent_log = os.path.join(self.folder, "agent.log")
        with open(self.agent_log, "w") as log:
            return start(command, stdout=log, stderr=log)

    def expect(self, right, text):
        say(("ok    " if right else "WRONG ") + text)
        if not right:
            self.failures.append(text)

    def watch(self, seconds):
        """Shows what arrives, for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.agent.poll() is not None:
                raise RuntimeError("the agent ended with status %d:\n%s" % (self.agent.returncode, open(self.agent_log).read()))
            with contextlib.suppress(queue.Empty):
                self.show(*self.backend.news.get(timeout=min(left, 0.2)))

    def show(self, topic, record, repeat):
        if topic == "status":
            if record != self.shown_status:
                # A last will was made when the connection was: its time says nothing of the loss.
                will = record["state"] == "offline" and record["at"] == record["since"]
                say("%s  status   %s" % (" " * 12 if will else record["at"][11:23], record["state"]))
            self.shown_status = record
            return
        what = {"readings": self.reading_text, "results": self.result_text, "events": self.event_text}[topic](record)
        say("%s  %-8s #%-4s %s%s" % (record["at"][11:23], topic, record["seq"], what, "  (a repeat)" if repeat else ""))

    def reading_text(self, record):
        catalog = self.backend.catalogs.get(record["catalog"], {"meters": [], "profiles": {}})
        profile = next((m["profile"] for m in catalog["meters"] if m["id"] == record["meter"]), None)
        points = catalog["profiles"].get(profile, {}).get("points", {})
        values = record.get("values", {})
        shown = ["%s %s %s" % (p, values[p], points.get(p, {}).get("unit") or "") for p in SHOWN if p in values]
        return "%-9s %-5s %s  (%d values)" % (record["meter"], record["quality"], "  ".join(shown), len(values))

    @staticmethod
    def result_text(record):
        return "command %s: %s %s" % (record["command"], record["status"], record.get("error", ""))

    @staticmethod
    def event_text(record):
        return "%s %s" % (record["event"], {key: str(value) for key, value in record.get("detail", {}).items()})

    def read_by_command(self, number, meter, points):
        name = "demo-%d-%d" % (number, time.time())
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=30)
        began = time.monotonic()
        self.backend.command(id=name, op="read", meter=meter, points=points,
                             expires_at=soon.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
        result = self.backend.result(name, 10)
        if result is None:
            self.expect(False, "no result of %s within 10 s" % name)
            return
        took = 1000 * (self.backend.arrived[result["id"]] - began)
        values = {point: str(value) for point, value in result.get("values", {}).items()}
        self.expect(result["status"] == "done", "read %s: %s after %.0f ms, backend to meter and back: %s" %
                    (meter, result["status"], took, values or result.get("error")))

    def outage(self, seconds):
        before = sum(sim.stats()["units"][str(unit)]["answers"] for sim, unit in self.units())
        self.broker.stop()
        say("broker stopped")
        self.watch(seconds)
        polls = sum(sim.stats()["units"][str(unit)]["answers"] for sim, unit in self.units()) - before
        self.expect(polls > 0, "without a broker for %d s, the meters answered %d requests" % (seconds, polls))
        self.broker.start()
        say("broker started")

    def units(self):
        return [(self.line, unit) for unit, _ in ON_LINE.values()] + [(self.tcp, unit) for unit, _ in ON_TCP.values()]

    def check_numbers(self):
        for (epoch, lane), (highest, missing) in sorted(self.backend.highest().items()):
            self.expect(not missing, "%s, epoch %s: numbers 1 to %d came, missing %s" % (lane, epoch, highest, missing or "none"))
        last = (self.backend.status or {}).get("last", {})
        for lane, number in last.items():
            came = self.backend.highest().get((self.backend.status["epoch"], lane), (0, []))[0]
            self.expect(came == number, "the gateway's last word: %s up to %s; the backend has up to %s" % (lane, number, came))
        say("      records that came more than once and were known by their id: %d" % self.backend.repeats)

    def check_values(self):
        """Every value against what the simulator says it put into the registers at that time."""
        served = {name: self.served(self.line, unit) for name, (unit, _) in ON_LINE.items()}
        served["kiosk"] = self.served(self.line, KIOSK_UNIT)
        served.update({name: self.served(self.tcp, unit) for name, (unit, _) in ON_TCP.items()})
        same, different = 0, []
        for record in self.backend.records.values():
            if record.get("meter") not in served or "values" not in record or "span_ms" not in record:
                continue
            at = 1000 * datetime.datetime.fromisoformat(record["at"].replace("Z", "+00:00")).timestamp()
            window = (at - 100, at + float(record["span_ms"]) + 100)
            for point, value in record["values"].items():
                near = [v for when, values in served[record["meter"]] if window[0] <= when <= window[1]
                        for p, v in values.items() if p == point]
                if value in near:
                    same += 1
                else:
                    different.append((record["id"], point, str(value), [str(v) for v in near]))
        self.expect(same > 0 and not different, "%d values are those that the meters held, %d are not %s" %
                    (same, len(different), different[:3] or ""))

    @staticmethod
    def served(sim, unit):
        with open(sim.log_path) as log:
            frames = [parse(line) for line in log]
        return [(float(f["at_ms"]), f["values"]) for f in frames
                if f["kind"] == "reply" and f["unit"] == unit and "values" in f and f["function"] in (3, 4, 0x11)]

    def stop_agent(self):
        began = time.monotonic()
        status = end(self.agent)
        self.expect(status == 0, "SIGTERM: the agent ended with status %s after %.1f s" % (status, time.monotonic() - began))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (self.backend.status or {}).get("state") != "offline":
            time.sleep(0.05)
        while not self.backend.news.empty():
            self.show(*self.backend.news.get())

    def run(self):
        heading("What the backend sees: three Modbus meters and a DL/T 645 one on an RS-485 line at 9600 baud, one on Modbus TCP, every 5 s")
        self.watch(14)
        heading("The backend asks for a reading now")
        self.read_by_command(1, "hall", ["active_energy_import", "voltage_l1"])
        self.read_by_command(2, "plant", ["active_power", "frequency"])
        self.read_by_command(3, "kiosk", ["active_energy_import_t1", "meter_time", "relay"])
        self.watch(3)
        heading("The broker goes away; readings go on into the store")
        self.outage(10)
        self.watch(10)
        heading("The end")
        self.stop_agent()
        heading("What came of it")
        self.check_numbers()
        self.check_values()
        violations = next(iter(self.line.stats()["lines"].values()))["t35_violations"]
        self.expect(violations == 0, "requests that came too early on the serial line: %d" % violations)


def main():
    def on_signal(*_):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        with tempfile.TemporaryDirectory(prefix="metergate-demo-") as folder, contextlib.ExitStack() as stack:
            heading("Starting simulated meters, a broker and the agent in " + folder)
            demo = Demo(sys.argv[1], folder, stack)
            demo.run()
            print("\n%s" % ("Something is wrong: see WRONG above." if demo.failures else "All as it should be."))
            return 1 if demo.failures else 0
    except KeyboardInterrupt:
        print("\nStopped; nothing is left behind.")
        return 130
    except RuntimeError as why:
        print("\nThe demo cannot go on: %s" % why)
        return 1


if __name__ == "__main__":
    sys.exit(main())
