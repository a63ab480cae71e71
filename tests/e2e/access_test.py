"""Who may come in, and who is who: each refusal ends by itself when its cause goes, and is one line in the log."""
import subprocess
import time
import unittest

from authority import Authority
from case import GatewayTest
from lab import free_port, wait_for


class Access(GatewayTest):
    def lines(self, agent, text):
        return [line for line in agent.log().splitlines() if text in line]

    def online(self, agent):
        try:
            return agent.ask()["uplink"]["connected"]
        except OSError:
            return False

    def expect_outside(self, agent, reason):
        """Refused again and again, and polling all the same; one line tells it."""
        wait_for("the refusal", 10, lambda: self.lines(agent, reason))
        frames = len(self.sim.frames())
        time.sleep(4)
        self.assertFalse(self.online(agent))
        self.assertEqual(len(self.lines(agent, reason)), 1, agent.log())
        self.assertGreater(len(self.sim.frames()) - frames, 20, "polling stood still")

    def expect_all(self, backend):
        wait_for("the readings of before", 15, lambda: len(backend.all("readings")) > 20)
        self.assertEqual(backend.gaps(), {})

    def test_a_wrong_password_is_told_once_and_ends_when_the_broker_knows_it(self):
        passwords, word = self.lab.folder / "passwords", self.lab.folder / "word"
        word.write_text("right\n")

        def let_in(password):
            passwords.write_text(f"gw:{password}\n")
            passwords.chmod(0o644)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True)

        let_in("another")
        broker = self.lab.broker(extra=f"password_file {passwords}\n")
        self.sim = self.serial_sim()
        backend = self.lab.backend(broker.port)  # nobody asks it for a name
        agent = self.lab.agent(*self.flags(broker, "--username", "gw", "--password-file", word))
        self.expect_outside(agent, "does not let this client in")
        let_in("right")
        broker.child.send_signal(1)  # SIGHUP: mosquitto reads it again
        wait_for("the agent online", 10, lambda: self.online(agent))
        self.expect_all(backend)

    def test_a_revoked_certificate_is_told_once_and_ends_with_a_new_one(self):
        authority = Authority(self.lab.folder / "ca")
        authority.issue("server", "IP:127.0.0.1")
        for name in ("old", "new"):
            authority.issue(name)
        at = authority.folder
        tls = "\n".join(f"{key} {at / name}" for key, name in (
            ("cafile", "ca.pem"), ("certfile", "server.pem"), ("keyfile", "server.key"), ("crlfile", "crl.pem")))
        secure = free_port()
        broker = self.lab.broker(extra=f"listener {secure} 127.0.0.1\n{tls}\nrequire_certificate true\n")
        self.sim = self.serial_sim()
        backend = self.lab.backend(broker.port)
        flags = self.flags(f"mqtts://127.0.0.1:{secure}", "--ca-file", at / "ca.pem", "--cert-file", at / "gw.pem", "--key-file",
                           at / "gw.key")
        self.carry(at, "old")
        agent = self.lab.agent(*flags)
        wait_for("the agent online", 10, lambda: self.online(agent))
        authority.revoke("old")
        broker.kill(15)
        broker.start()
        self.expect_outside(agent, "certificate revoked")
        agent.kill(15)
        self.carry(at, "new")
        agent.start()
        wait_for("the agent online", 10, lambda: self.online(agent))
        self.expect_all(backend)

    @staticmethod
    def carry(folder, name):
        for kind in ("pem", "key"):
            (folder / f"gw.{kind}").write_bytes((folder / f"{name}.{kind}").read_bytes())

    def test_two_gateways_with_one_id_tell_it_and_do_not_write(self):
        self.twins(())

    def test_also_when_no_connection_ends_the_other(self):
        self.twins(("--client-id",))

    def twins(self, own_flag):
        broker = self.lab.broker()
        backend = self.lab.backend(broker.port)
        sims, twins = [], []
        for name in ("one", "two"):
            self.line = self.lab.folder / f"tty-{name}"
            sims.append(self.serial_sim(name=f"sim-{name}"))
            twins.append(self.lab.agent(*self.flags(broker, "--store", self.lab.folder / f"{name}.db", every=None), *(own_flag and (*own_flag, name)),
                                        name=name))
        wait_for("a word of each", 40, lambda: len({e["id"].split("/")[1] for e in backend.events("duplicate_gateway")}) == 2)
        for n in range(3):
            backend.send({"id": f"w{n}", "op": "write", "meter": "m1", "point": "limit", "value": 7,
                          "expires_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))})
            self.assertEqual(backend.result(f"w{n}", 20)["error"]["code"], "id_in_use")
        self.assertEqual([f for sim in sims for f in sim.frames() if f.get("function") == 6], [])
        self.assertTrue(all(twin.running() for twin in twins))


if __name__ == "__main__":
    unittest.main(verbosity=2)
