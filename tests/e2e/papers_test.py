"""The commands of README.md, systemd/README.md and drivers/profile/README.md are run as they stand there."""
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest

from case import GatewayTest
from lab import AGENT, ROOT, SIM, free_port, wait_for

sys.path.insert(1, str(ROOT / "tests" / "cloud_flow"))
from brokers import RabbitMQ  # noqa: E402

PAGE = (ROOT / "systemd" / "README.md").read_text()
BLOCKS = {name: text for _kind, name, text in re.findall(r"^```(bash|flags) ([\w-]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)}
SHIPPED = ROOT / "systemd" / "broker"


class Operations(GatewayTest):
    def setUp(self):
        super().setUp()
        self.desk = self.lab.folder / "desk"
        self.desk.mkdir()
        self.tools = self.lab.folder / "tools"
        self.tools.mkdir()

    def bash(self, text, path=""):
        """In the folder of the desk; what lies in /etc is put below it."""
        text = re.sub(r"(?<![\w/])/etc/", f"{self.desk}/etc/", text)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=self.desk, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PATH": f"{self.tools}:{path}:{os.environ['PATH']}"}, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def make_certificates(self):
        self.assertIn("BROKER=broker.example.net\n", BLOCKS["tls"])
        return self.bash(BLOCKS["tls"].replace("broker.example.net", "localhost"))

    def secure_flags(self, port, *more):
        """The flags of the page, for what was just made."""
        said = dict(re.findall(r"^    ((?:ca|cert|key)-file) = (\S+)$", PAGE, re.MULTILINE))
        self.assertEqual(said, {"ca-file": "/etc/metergate/ca.pem", "cert-file": "/etc/metergate/gateway.pem",
                                "key-file": "/run/credentials/metergate.service/metergate_key"})
        flags = self.flags(f"mqtts://localhost:{port}", "--ca-file", self.desk / "ca.pem", *more)
        return ["plant-7" if f == "gw" else f for f in flags]

    def client(self):
        return "--cert-file", self.desk / "plant-7.pem", "--key-file", self.desk / "plant-7.key"

    def wait_online(self, agent):
        def online():
            try:
                return agent.ask()["uplink"]["connected"]
            except OSError:
                return False
        wait_for("the agent online", 30, online)

    def test_its_certificates_are_good_for_mosquitto_and_can_be_renewed(self):
        self.assertIn("DNS:localhost", self.make_certificates())
        port = free_port()
        broker = self.lab.broker(extra=f"listener {port} 127.0.0.1\nrequire_certificate true\ncafile {self.desk}/ca.pem\n"
                                       f"certfile {self.desk}/server.pem\nkeyfile {self.desk}/server.key\n")
        self.serial_sim()
        agent = self.lab.agent(*self.secure_flags(port, *self.client()))
        self.wait_online(agent)
        stranger = self.lab.agent(*self.secure_flags(port, "--store", self.lab.folder / "stranger.db"), name="stranger")
        wait_for("the refusal", 10, lambda: "refuses this client by TLS" in stranger.log())
        self.assertFalse(stranger.ask()["uplink"]["connected"])
        stranger.kill(signal.SIGTERM)

        before = (self.desk / "plant-7.pem").read_text()
        signing = re.findall(r"^openssl x509 -req (?:.*\\\n)*.*$", BLOCKS["tls"], re.MULTILINE)
        self.assertEqual(len(signing), 2)
        self.bash("BROKER=localhost\n" + "\n".join(signing))
        self.assertNotEqual((self.desk / "plant-7.pem").read_text(), before)
        broker.kill(signal.SIGTERM)
        broker.start()
        agent.child.send_signal(signal.SIGHUP)
        wait_for("the start with the new one", 20, lambda: agent.log().count("started") > 1 or agent.log().count("epoch") > 1)
        self.wait_online(agent)

    def test_its_users_and_certificates_are_good_for_rabbitmq(self):
        if not shutil.which("rabbitmq-server"):
            self.skipTest("there is no rabbitmq-server")
        self.make_certificates()
        port = free_port()
        lines = re.findall(r"^    (ssl_options\.\S+ = \S+)$", PAGE, re.MULTILINE)
        self.assertEqual(len(lines), 2)
        rabbit = RabbitMQ(self.desk, settings="\n".join([
            f"mqtt.listeners.ssl.default = 127.0.0.1:{port}", f"ssl_options.cacertfile = {self.desk}/ca.pem",
            f"ssl_options.certfile = {self.desk}/server.pem", f"ssl_options.keyfile = {self.desk}/server.key", *lines, ""])).start()
        self.addCleanup(rabbit.stop)
        (self.desk / "boxes").write_text("plant-7\nplant-8\n")
        (self.desk / "gateway-user").symlink_to(SHIPPED / "rabbitmq" / "gateway-user")
        self.assertIn("made: plant-7 plant-8", self.bash(BLOCKS["users"], path=rabbit.tools))
        self.serial_sim()
        login = ("--username", "plant-7", "--password-file", self.desk / "passwords" / "plant-7")
        agent = self.lab.agent(*self.secure_flags(port, *login, *self.client()))
        self.wait_online(agent)
        stranger = self.lab.agent(*self.secure_flags(port, *login, "--store", self.lab.folder / "stranger.db"), name="stranger")
        wait_for("the refusal", 10, lambda: "refuses this client by TLS" in stranger.log())

    def test_its_passwords_let_gateways_in_at_mosquitto_and_reach_their_boxes(self):
        (self.desk / "boxes").write_text("plant-7\nplant-8\n")
        (self.desk / "etc" / "mosquitto").mkdir(parents=True)
        (self.desk / "etc" / "prometheus").mkdir()
        self.bash(BLOCKS["mosquitto-users"])
        (self.desk / "look.password").write_text("watching\n")
        self.bash("mosquitto_passwd -b /etc/mosquitto/metergate.passwords look watching")
        passwords = self.desk / "etc" / "mosquitto" / "metergate.passwords"
        self.assertRegex(passwords.read_text(), r"^plant-7:\$\d\$.+\nplant-8:\$\d\$.+\nlook:")
        passwords.chmod(0o644)
        broker = self.lab.broker(extra=f"password_file {passwords}\nacl_file {SHIPPED}/mosquitto/acl\n")
        self.serial_sim()
        (self.tools / "ssh").write_text(f'#!/bin/sh\nbox={self.desk}/at/$1\nmkdir -p "$box"\nshift\n[ "$1 $2 $3" = "install -m 600" ]\n'
                                        'exec install -m 600 "$4" "$box/$(basename "$5")"\n')
        (self.tools / "ssh").chmod(0o755)
        self.bash(BLOCKS["deliver"])
        word = self.desk / "at" / "root@plant-7" / "password"
        self.assertEqual(word.stat().st_mode & 0o777, 0o600)
        flags = ["plant-7" if f == "gw" else f for f in self.flags(broker, "--username", "plant-7", "--password-file", word)]
        self.wait_online(self.lab.agent(*flags))
        look = BLOCKS["look"].replace("broker.example.net -p 8883 --cafile ca.pem", f"127.0.0.1 -p {broker.port} -C 3")
        self.assertIn('metergate/plant-7/readings {"gateway":"plant-7"', self.bash(look))
        self.bash(BLOCKS["targets"])
        self.assertEqual((self.desk / "etc" / "prometheus" / "metergate" / "boxes.json").read_text(),
                         '[{"targets":["plant-7:9464","plant-8:9464"]}]\n')

    def test_its_two_files_of_flags_are_one_configuration(self):
        (self.desk / "passwords").write_text("secret\n")
        (self.desk / "profiles").mkdir()
        replaced = {"/run/credentials/metergate.service/metergate_password": "/etc/metergate/credentials/password"}
        for name in ("common", "own"):
            text = BLOCKS[name]
            for there, here in replaced.items():
                text = text.replace(there, here)
            text = text.replace("/etc/metergate/credentials/password", str(self.desk / "passwords"))
            text = text.replace("/etc/metergate/profiles", str(self.desk / "profiles"))
            (self.desk / name).write_text(text.replace("ca-file = /etc/metergate/ca.pem\n", ""))
        words = [AGENT, "check", f"@{self.desk / 'own'}", "--store", self.lab.folder / "none.db"]
        for more, env in (((), {"METERGATE_CONFIG": str(self.desk / "common")}), (("--config", self.desk / "common"), {})):
            done = subprocess.run([*words, *more], env={**os.environ, **env}, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("mqtts://broker.example.net:8883 as metergate-plant-7", done.stdout)

    def test_its_paths_are_those_of_the_package(self):
        contents = {line.split()[2][1:] for line in (ROOT / "tests" / "package" / "metergate.contents").read_text().splitlines()}
        made_later = {"/var/lib/metergate/metergate.db", "/run/metergate/control",
                      "/run/credentials/metergate.service/metergate_NAME"}
        paths = set(re.findall(r"^\| `(/[^`]+)` \|", PAGE, re.MULTILINE)) - made_later
        self.assertGreater(len(paths), 6)
        self.assertEqual(paths - contents, set())


class Guide(GatewayTest):
    """The profile guide's harder meter: from its table to a write that is read back, without the meter."""

    def test_its_harder_meter_is_read_and_written(self):
        page = (ROOT / "drivers" / "profile" / "README.md").read_text()
        profile = re.search(r"^(    # Example EM-9.*?)^- ", page, re.MULTILINE | re.DOTALL).group(1)
        block = re.search(r"^```bash em9\n(.*?)^```$", page, re.MULTILINE | re.DOTALL).group(1)
        desk = self.lab.folder / "desk"
        desk.mkdir()
        (desk / "em9.ini").write_text(re.sub(r"^    ", "", profile, flags=re.MULTILINE))
        for program in (AGENT, SIM):
            (desk / program.name).symlink_to(program)
        block = block.replace("18830", str(free_port())).replace("/tmp/", f"{desk}/")
        done = subprocess.run(["bash", "-mc", f"{block}\nkill %1 %2 %3; wait"], cwd=desk, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "PATH": f"{desk}:/usr/sbin:{os.environ['PATH']}"}, check=False)
        self.assertIn('"status":"done","values":{"relay":"closed"}', done.stdout, done.stdout + done.stderr)
        for point in re.findall(r"^(\w+) = ", (desk / "em9.ini").read_text().split("[points]")[1], re.MULTILINE):
            self.assertRegex(done.stdout, rf"(?m)^{point} +\S")


class FirstHour(GatewayTest):
    """README.md: its configuration, and the installer's steps, with a simulated line and a broker in their places."""

    def setUp(self):
        super().setUp()
        page = (ROOT / "README.md").read_text()
        self.broker = self.lab.broker()
        tcp = free_port()
        models = ROOT / "drivers" / "profile" / "models"
        meters = [w for unit, model in ((1, "sdm630"), (2, "abb_b23")) for w in ("--meter", f"unit={unit},profile={models}/{model}.ini")]
        self.lab.sim("--pty", self.line, "--baud", "9600", "--mode", "8N1", *meters, name="line")
        self.lab.sim("--tcp", tcp, "--meter", f"unit=1,profile={models}/em340.ini", name="roof")
        (self.lab.folder / "password").write_text("secret\n")
        self.places = [("/dev/ttyS1", str(self.line)), ("192.0.2.17:502", f"127.0.0.1:{tcp}"),
                       ("mqtts://broker.example.com", f"mqtt://127.0.0.1:{self.broker.port}"),
                       ("ca-file = /etc/metergate/ca.pem\n", ""), (",mode=8E1,rs485=kernel", ",mode=8E1"),
                       ("/run/credentials/metergate.service/metergate_password", str(self.lab.folder / "password")),
                       ("/etc/metergate/credentials/password", str(self.lab.folder / "password")),
                       ("/etc/metergate/flags", str(self.lab.folder / "flags"))]
        configuration = "".join(f"{line}\n" for line in re.findall(r"^    ([a-z-]+ = .*)$", page, re.MULTILINE))
        (self.lab.folder / "flags").write_text(self.here(configuration))
        hour = page[page.index("## The first hour"):page.index("## Watching it")]
        self.commands = re.findall(r"^ +(metergate .*)$", hour, re.MULTILINE) + re.findall(r"`(metergate [^`]*[^`.])`", hour)

    def here(self, text):
        for there, place in self.places:
            text = text.replace(there, place)
        return text

    def run_command(self, command):
        words = self.here(command).replace("metergate", str(AGENT), 1).split()
        own = ["--store", str(self.lab.folder / "store.db"), "--control", str(self.lab.folder / "agent.control")]
        known = subprocess.run([*words[:2], "--help"], capture_output=True, text=True, check=False).stdout
        own = [word for name, value in zip(own[::2], own[1::2]) if name in known for word in (name, value)]
        return subprocess.run([*words[:2], *own, *words[2:]], capture_output=True, text=True, timeout=120, check=False)

    def expect(self, command, text):
        self.assertIn(command, self.commands)
        done = self.run_command(command)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stdout}{done.stderr}")
        self.assertIn(text, done.stdout)

    def test_the_page_is_short(self):
        self.assertLessEqual(len((ROOT / "README.md").read_text().splitlines()), 250)

    def test_each_step_does_what_it_says(self):
        self.expect("metergate read --bus name=line,device=/dev/ttyS1,baud=9600,mode=8N1 --unit 1 --profile sdm630", "voltage_l1")
        check = "metergate check @/etc/metergate/flags --password-file /etc/metergate/credentials/password"
        self.expect(check, "an outage of")
        agent = self.lab.agent(f"@{self.lab.folder / 'flags'}", "--store", self.lab.folder / "store.db")
        wait_for("the agent connected", 20, lambda: "started" in agent.log() and agent.ask()["uplink"]["connected"])
        if "--broker" in self.run_command("metergate check --help").stdout:
            self.expect(check.replace("check", "check --broker", 1), "")
        self.expect("metergate read @/etc/metergate/flags main", "active_energy_import")
        self.expect("metergate store", "readings")
        self.expect("metergate read @/etc/metergate/flags --all --count 20", "main")
        self.expect("metergate trace rs485-1", "unit")
        self.expect("metergate pause rs485-1 --for 30m", "paused")
        self.expect("metergate resume rs485-1", "resumed")
        self.expect("metergate store export --from 2026-11-22T00:00:00Z --to 2026-11-23T00:00:00Z --format csv", "id,seq")


if __name__ == "__main__":
    unittest.main(verbosity=2)
