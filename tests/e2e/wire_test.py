"""agent/protocol/README.md against running gateways: every JSON of it, its tables, and its consumer exactly as it stands there.

    wire_test.py            tests
    wire_test.py --write    writes the JSON of running gateways into the page, where it differs in more than times and numbers
"""
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
import unittest

from case import GatewayTest
from lab import ROOT, wait_for
from wire_messages import collect

PAGE = ROOT / "agent" / "protocol" / "README.md"
BLOCK = re.compile(r"^```json ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COLUMNS = 118
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def same_kind(value):
    """The value without what differs from one run to the next: numbers, times, epochs, hashes, places, how many are alike."""
    if isinstance(value, dict):
        return [(key, same_kind(each)) for key, each in value.items()]
    if isinstance(value, list):
        kinds = [same_kind(each) for each in value]
        return [kind for at, kind in enumerate(kinds) if kind not in kinds[:at]]
    if isinstance(value, str):
        value = TIME.sub("TIME", re.sub(r"/\S*/", "/", value))
        return re.sub(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{8}\b|\d+", "#", value)
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def wrapped(text):
    """The JSON text in lines, each but the last ending behind a comma between members or elements."""
    pieces, quoted, begin = [], False, 0
    for at, char in enumerate(text):
        quoted ^= char == '"' and text[at - 1] != "\\"
        if char == "," and not quoted:
            pieces.append(text[begin:at + 1])
            begin = at + 1
    lines = [""]
    for piece in [*pieces, text[begin:]]:
        if len(lines[-1] + piece) > COLUMNS:
            lines.append(" ")
        lines[-1] += piece
    return "\n".join(lines) + "\n"


def without_folders(text):
    return re.sub(r'/tmp/[^"/]*/', "/dev/", re.sub(r"-{50,}", "", text))


def write():
    page, got = PAGE.read_text(), collect()

    def block(found):
        name, old = found.groups()
        if old and same_kind(json.loads(old)) == same_kind(json.loads(without_folders(got[name]))):
            return found.group(0)
        return f"```json {name}\n{wrapped(without_folders(got[name]))}```"

    PAGE.write_text(BLOCK.sub(block, page))


class Page(unittest.TestCase):
    """What the page says, against the program and its sources."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.page = PAGE.read_text()
        cls.examples = {name: json.loads(text) for name, text in BLOCK.findall(cls.page)}
        cls.sources = "".join(path.read_text() for folder in ("agent", "store", "drivers")
                              for path in sorted((ROOT / folder).rglob("*.cpp")))

    def test_every_json_is_what_a_gateway_sends(self):
        got = collect()
        self.assertEqual(set(self.examples), set(got))
        for name, text in got.items():
            with self.subTest(name):
                self.assertEqual(same_kind(self.examples[name]), same_kind(json.loads(without_folders(text))))

    def test_every_event_of_the_sources_has_an_example(self):
        told = set(re.findall(r'(?:events_?->tell\(|event_draft\([^;"]*?|^ +tell\((?:\w+ \? )?)"(\w+)"', self.sources, re.MULTILINE))
        told |= {"session_lost", "config_returned"}
        self.assertEqual({e["event"] for e in self.examples.values() if "event" in e}, told)

    def test_every_code_of_the_sources_stands_in_the_table(self):
        told = set(re.findall(r'Failure[^;"]*?\{"(\w+)"', self.sources))
        self.assertEqual({code for code in told if f"`{code}`" not in self.page}, set())

    def test_every_op_of_the_sources_has_a_command_and_a_result(self):
        ops = set(re.findall(r'\{"(\w+)", Command::Op::k', self.sources))
        self.assertEqual({e["op"] for e in self.examples.values() if "op" in e}, ops)
        self.assertEqual(set(re.findall(r'"op":"(\w+)"', self.page)), ops)


class Consumer(GatewayTest):
    """The program of the page, as it stands there."""

    def setUp(self):
        super().setUp()
        source = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL).group(1)
        self.program, self.file = self.lab.folder / "consumer.py", self.lab.folder / "records.db"
        self.program.write_text(source)
        self.broker = self.lab.broker()
        self.serial_sim()
        self.children = []

    def tearDown(self):
        for child in self.children:
            child.kill()
            child.wait()
        super().tearDown()

    def consume(self, *more):
        self.children.append(subprocess.Popen(
            [sys.executable, "-B", self.program, "127.0.0.1", str(self.broker.port), self.file, *more]))
        return self.children[-1]

    def rows(self, query, *values):
        with sqlite3.connect(self.file, timeout=10) as db:
            return db.execute(query, values).fetchall()

    def count(self, lane="readings"):
        return self.rows("SELECT COUNT(*) FROM records WHERE lane = ?", lane)[0][0] if self.file.exists() else 0

    def begin(self, *consumer, flags=()):
        self.consume(*consumer)
        wait_for("its tables", 10, lambda: self.file.exists() and self.rows("SELECT 1 FROM sqlite_master WHERE name = 'state'"))
        time.sleep(1)  # it subscribes
        self.agent = self.lab.agent(*self.flags(self.broker, "--commit-every", "100ms", *flags))
        wait_for("readings", 20, lambda: self.count() > 20)

    def expect_all(self):
        """Of every epoch each record up to its last one, without a gap, once the gateway is at its end."""
        self.assertEqual(self.agent.kill(signal.SIGTERM), 0)
        wait_for("the last word", 20, lambda: '"offline"' in self.rows("SELECT text FROM state WHERE topic LIKE '%/status'")[0][0])
        wait_for("all records", 20, lambda: not self.rows("SELECT * FROM lanes WHERE upto < last"))
        self.assertGreater(self.count(), 50)
        self.assertEqual(self.rows("SELECT COUNT(*) FROM lanes WHERE lane = 'readings'"), [(len(set(self.epochs())),)])

    def epochs(self):
        return [epoch for epoch, in self.rows("SELECT DISTINCT epoch FROM records WHERE lane = 'events'")]

    def test_has_every_record_once_though_it_and_the_gateway_are_killed(self):
        self.begin()
        for victim in (self.children[-1], self.agent.child, self.children[-1]):
            victim.kill()
            victim.wait()
            time.sleep(1)
            if victim is self.agent.child:
                self.agent.start()
            else:
                self.consume()
            before = self.count()
            wait_for("more readings", 30, lambda before=before: self.count() > before + 10)
        self.expect_all()
        self.assertEqual(len(self.epochs()), 2)

    def test_sends_a_command_until_its_result_is_there(self):
        self.begin()
        soon = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 60))
        command = {"id": "c-1", "op": "write", "meter": "m1", "point": "relay", "value": "on", "expires_at": soon}
        self.rows("INSERT INTO commands (gateway, id, text) VALUES ('gw', 'c-1', ?)", json.dumps(command))
        result = wait_for("the result", 20, lambda: self.rows("SELECT result FROM commands WHERE result NOT NULL"))[0][0]
        self.assertEqual((json.loads(result)["status"], json.loads(result)["values"]), ("done", {"relay": "on"}))

    def test_its_receipts_make_records_delivered(self):
        self.begin("--receipts", flags=("--delivery", "receipt"))
        wait_for("delivered readings", 20, lambda: self.agent.ask()["store"]["readings"]["delivered"] > 60)
        self.expect_all()


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        unittest.main(verbosity=2)
