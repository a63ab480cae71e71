"""A PostgreSQL server for one run: own folder, own port, loopback only, as an unprivileged user."""
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile

from brokers import Server, low_port, wait_for


def programs():
    """Debian keeps the server's programs out of the PATH, one folder a version."""
    places = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if not places:
        raise AssertionError("no PostgreSQL below /usr/lib/postgresql: install the package postgresql")
    return places[-1]


class Postgres(Server):
    """`kill` is kill -9 of the server with all that it held in memory; `start` brings it back with the same disk."""

    def __init__(self):
        super().__init__(pathlib.Path(tempfile.mkdtemp(prefix="metergate-pg-")), "postgres")
        self.port, self.word, self.databases = low_port(), secrets.token_hex(16), 0
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None  # PostgreSQL does not run as root
        word = self.folder / "word"
        word.write_text(self.word)
        if self.user:
            for path in (self.folder, word):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)
        self.data = self.folder / "data"
        self._run("initdb", "--pgdata", self.data, "--username", "metergate", "--pwfile", word, "--auth", "scram-sha-256",
                  "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync")

    def _as_user(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}

    def _run(self, program, *words):
        done = subprocess.run([programs() / program, *words], cwd=self.folder, capture_output=True, text=True, **self._as_user())
        if done.returncode != 0:
            raise AssertionError(f"{program}: {done.stdout}{done.stderr}")

    def start(self):
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "shared_buffers": "256MB",
                    "max_wal_size": "2GB", "checkpoint_timeout": "15min", "log_min_messages": "warning"}
        argv = [programs() / "postgres", "-D", self.data]
        for name, value in settings.items():
            argv += ["-c", f"{name}={value}"]
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of one that was killed
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                          start_new_session=True, **self._as_user())
        self.await_port(self.port, 20)
        wait_for("PostgreSQL's recovery", 60, self._answers)
        return self

    def _answers(self):
        return subprocess.run([programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0

    def new_database(self):
        """Its URL."""
        self.databases += 1
        self._psql(f"CREATE DATABASE d{self.databases}")
        return f"postgresql://metergate:{self.word}@127.0.0.1:{self.port}/d{self.databases}"

    def _psql(self, text):
        subprocess.run([programs() / "psql", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "metergate", "postgres", "-c", text],
                       check=True, env={**os.environ, "PGPASSWORD": self.word})

    def kill(self):
        """The server's processes are one session; each backend of it has its own process group."""
        if self.child is not None and self.child.poll() is None:
            children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.child.pid)], capture_output=True, text=True).stdout
            self.child.kill()
            for pid in map(int, children.split()):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.child.wait()

    def stop(self):
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
            try:
                self.child.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
