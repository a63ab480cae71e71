"""`check --broker`: what it tells of each way to a broker, and that it takes nothing from the agent's session."""
import http.server
import json
import pathlib
import socket
import subprocess
import threading
import unittest

from authority import Authority
from case import GatewayTest
from lab import AGENT, free_port, wait_for


class CheckBroker(GatewayTest):
    def check(self, broker, *more, status=0):
        flags = self.flags(broker, "--control", self.lab.folder / "agent.control", *more, every=None)
        done = subprocess.run([AGENT, "check", "--broker", *map(str, flags)], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def links(self, broker, *more, status=0):
        return json.loads(self.check(broker, "--json", *more, status=status).stdout)

    def only(self, broker, *more, status=0):
        link, = self.links(broker, *more, status=status)["links"]
        return link

    def acknowledged(self, broker):
        return [line for line in broker.log().splitlines() if "from metergate-gw" in line and ("PUBACK" in line or "PUBLISH" in line)]

    def test_a_command_that_waits_stays_and_is_executed_once_afterwards(self):
        broker = self.lab.broker()
        sim = self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker, every=None))
        wait_for("the agent's session", 10, lambda: "Sending SUBACK to metergate-gw" in broker.log())
        agent.kill(15)
        published = len(self.acknowledged(broker))
        backend.send({"id": "c1", "op": "read", "meter": "m1", "points": ["count"]})
        for _ in range(3):
            link = self.only(broker)
            self.assertTrue(link["ok"])
            self.assertEqual((link["session"], link["waiting"]), ("kept", 1))
            self.assertEqual(set(link["subscriptions"].values()), {"granted"})
            self.assertGreater(link["round_trip_us"], 0)
        self.assertEqual(len(self.acknowledged(broker)), published, "the check published or acknowledged something")
        self.assertIn("1 came, were not acknowledged and wait for the agent", self.check(broker).stdout)
        agent.start()
        self.assertEqual(backend.result("c1", 15)["status"], "done")
        self.assertEqual(len([f for f in sim.frames() if f.get("function") == 3]), 2, "one request and its answer")
        self.assertEqual(backend.events("session_lost"), [])

    def test_a_running_agent_is_asked_and_keeps_its_connection(self):
        broker = self.lab.broker()
        dead = free_port()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker, "--upstream", f"mqtt://127.0.0.1:{dead}"))
        wait_for("readings", 20, lambda: backend.all("readings"))
        links = self.links(broker, "--upstream", f"mqtt://127.0.0.1:{dead}")
        self.assertEqual(links["by"], "agent")
        up, = [link for link in links["links"] if link["port"] == broker.port]
        self.assertTrue(up["ok"] and up["since"] and up["round_trip_us"] > 0, up)
        self.assertEqual(set(up["subscriptions"].values()), {"granted"})
        down, = [link for link in links["links"] if link["port"] == dead]
        self.assertFalse(down["ok"])
        self.assertIn("warning: 127.0.0.9:1883 is no broker of the running agent",
                      self.check(broker, "--upstream", "mqtt://127.0.0.9:1883").stderr)
        self.assertEqual(agent.ask()["uplink"]["losses"], 0)
        self.assertIn("in use", self.check(broker, "--control", self.lab.folder / "none", status=75).stderr)
        self.assertEqual(agent.ask()["uplink"]["losses"], 0)

    def test_a_session_that_the_broker_lost_is_still_lost_for_the_agent(self):
        broker = self.lab.broker()
        self.serial_sim()
        backend = self.lab.backend(broker.port)
        agent = self.lab.agent(*self.flags(broker, every=None))
        wait_for("the event started", 10, lambda: backend.events("started"))
        agent.kill(15)
        forget = subprocess.run(["mosquitto_sub", "-p", str(broker.port), "-i", "metergate-gw", "-t", "x", "-E"], timeout=10)
        self.assertEqual(forget.returncode, 0)
        self.assertEqual([self.only(broker)["session"] for _ in range(2)], ["new", "new"])
        agent.start()
        wait_for("session_lost", 10, lambda: backend.events("session_lost"))

    def test_names_the_topic_that_the_broker_refuses(self):
        plugin = next(pathlib.Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
        if plugin is None:
            self.skipTest("this mosquitto has no plugin that refuses a subscription")
        rules = self.lab.folder / "rules.json"
        deny = {"acltype": "subscribeLiteral", "topic": "metergate/gw/receipts", "priority": 1, "allow": False}
        rules.write_text(json.dumps({
            "defaultACLAccess": dict.fromkeys(("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), True),
            "anonymousGroup": "all", "groups": [{"groupname": "all", "roles": [{"rolename": "deny"}]}],
            "roles": [{"rolename": "deny", "acls": [deny]}]}))
        broker = self.lab.broker(extra=f"plugin {plugin}\nplugin_opt_config_file {rules}\n")
        link = self.only(broker, status=69)
        self.assertEqual(link["subscriptions"], {"metergate/gw/commands": "granted", "metergate/gw/receipts": "refused",
                                                 "metergate/gw/status": "granted"})
        self.assertIn("refuses the subscription of metergate/gw/receipts;", link["error"])

    def test_a_wrong_password_is_told_and_never_shown(self):
        passwords, word = self.lab.folder / "passwords", self.lab.folder / "word"
        passwords.write_text("gw:right\n")
        passwords.chmod(0o644)
        subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)
        broker = self.lab.broker(extra=f"password_file {passwords}\n")
        login = ("--username", "gw", "--password-file", word)
        word.write_text("right\n")
        self.assertTrue(self.only(broker, *login)["ok"])
        word.write_text("secret-and-wrong\n")
        wrong = self.check(broker, *login, status=69)
        self.assertIn("the broker does not let this client in; see --username", wrong.stdout)
        self.assertNotIn("secret-and-wrong", wrong.stdout + wrong.stderr)
        word.unlink()
        self.assertIn(f"--password-file {word}: cannot read", self.check(broker, *login, status=78).stderr)

    def test_tells_certificates_and_what_is_wrong_with_them(self):
        authority = Authority(self.lab.folder / "ca")
        authority.issue("server", "IP:127.0.0.1")
        authority.issue("gw")
        at = authority.folder
        secure = free_port()
        tls = "\n".join(f"{key} {at / name}" for key, name in (("cafile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key")))
        broker = self.lab.broker(extra=f"listener {secure} 127.0.0.1\n{tls}\nrequire_certificate true\n")
        url = f"mqtts://127.0.0.1:{secure}"
        own = ("--cert-file", at / "gw.pem", "--key-file", at / "gw.key")
        link = self.only(url, "--ca-file", at / "ca.pem", *own)
        self.assertTrue(link["ok"], link)
        self.assertEqual((link["tls"]["version"], link["tls"]["peer"]), ("TLSv1.3", "CN=server"))
        self.assertEqual([link["tls"][f"{whose}_days"] for whose in ("peer", "authority", "own")], [1, 1, 1])
        for flags, words in ((("--ca-file", at / "ca.pem"), "the broker refuses this client by TLS"),
                             (("--ca-file", at / "gw.pem", *own), "not to be trusted")):
            self.assertIn(words, self.only(url, *flags, status=69)["error"])
        self.assertIn("certificate is not that of 'localhost'", self.links(
            f"mqtts://localhost:{secure}", "--ca-file", at / "ca.pem", *own, status=69)["links"][0]["error"])
        self.assertIn("mqtts://", self.only(f"mqtt://127.0.0.1:{secure}", status=69)["error"])
        self.assertIn("a port without TLS wants mqtt://",
                      self.only(f"mqtts://127.0.0.1:{broker.port}", "--ca-file", at / "ca.pem", status=69)["error"])

    def test_a_dead_address_beside_a_good_one_is_told_and_does_no_harm(self):
        broker = self.lab.broker()
        good, dead, unknown = self.links(broker, "--upstream", f"mqtt://127.0.0.1:{free_port()}",
                                         "--upstream", "mqtt://no-such-host.invalid")["links"]
        self.assertTrue(good["ok"])
        self.assertIn("connection refused: nothing listens on this port", dead["error"])
        self.assertIn("cannot resolve 'no-such-host.invalid'", unknown["error"])

    def test_what_is_no_broker_is_told_as_what_it_is(self):
        class Web(http.server.BaseHTTPRequestHandler):
            timeout = 30

            def log_message(self, *_words):
                pass

        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.server_close)
        self.addCleanup(web.shutdown)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            links = self.links(f"mqtt://127.0.0.1:{web.server_port}", "--upstream",
                               f"mqtt://127.0.0.1:{silent.getsockname()[1]}", status=69)["links"]
        self.assertIn("it is an HTTP server, not an MQTT broker", links[0]["error"])
        self.assertIn("it takes the connection and does not answer", links[1]["error"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
