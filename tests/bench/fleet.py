"""A fleet of real agents whose broker goes away and comes back: when they try, when all are back, and that nothing is lost."""
import pathlib
import re
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time

from surroundings import Lab, free_ports, profile, wait_for

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "build" / "release" / "tests" / "bench" / "fleet_model"
PROBE = 0x63  # the protocol level by which an agent asks who listens there (agent/uplink/broker_probe.h)


def client_of(connect):
    """(protocol level, client id) of the bytes of a CONNECT (MQTT 3.1.1, 3.1), or nothing while it is not complete."""
    at = 1
    while at < len(connect) and connect[at] >= 0x80:
        at += 1
    at += 1
    if len(connect) < at + 12:
        return None
    size, = struct.unpack_from(">H", connect, at + 10)
    name = connect[at + 12:at + 12 + size]
    return (connect[at + 6], name.decode(errors="replace")) if len(name) == size else None


class CountingProxy:
    """Stands before the broker and notes each CONNECT and each CONNACK that accepts, with its time. While the broker is away, or
    `away` is set, it hears a CONNECT and then ends the connection."""

    def __init__(self, target):
        self.target, self.away = target, False
        self.tries, self.accepted = [], []  # (monotonic time, client id)
        self._peers, self._heads, self._cut, self._end = {}, {}, False, False
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        self._cut = True

    def close(self):
        self._end = True
        self._thread.join(5)

    def links(self):
        return sum(peer is not None for peer in list(self._peers.values())) // 2

    def _run(self):
        while not self._end:
            for key, _events in self._selector.select(0.1):
                if key.fileobj is self._listener:
                    self._hold(self._listener.accept()[0], None)
                elif key.fileobj in self._peers:
                    self._read(key.fileobj)
            if self._cut:
                self._cut = False
                for end in list(self._peers):
                    self._drop(end)

    def _hold(self, end, peer):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers[end], self._heads[end] = peer, b""
        self._selector.register(end, selectors.EVENT_READ)

    def _drop(self, end):
        for each in (end, self._peers.get(end)):
            if each is not None and each in self._peers:
                del self._peers[each]
                self._heads.pop(each, None)
                self._selector.unregister(each)
                each.close()

    def _read(self, end):
        try:
            data = end.recv(65536)
        except OSError:
            data = b""
        if not data:
            return self._drop(end)
        peer = self._peers[end]
        if peer is None:
            return self._begin(end, data)
        if self._heads.get(end) is not None:  # the broker's first bytes
            if data[0] == 0x20 and len(data) > 3 and data[3] == 0:
                self.accepted.append((time.monotonic(), self._heads[end]))
            self._heads[end] = None
        try:
            peer.sendall(data)
        except OSError:
            self._drop(end)

    def _begin(self, end, data):
        self._heads[end] += data
        client = client_of(self._heads[end])
        if client is None:
            return
        level, name = client
        if level != PROBE:
            self.tries.append((time.monotonic(), name))
        try:
            if self.away:
                raise OSError
            broker = socket.create_connection(("127.0.0.1", self.target), 2)
            broker.sendall(self._heads[end])
        except OSError:
            return self._drop(end)
        self._hold(broker, end)
        self._peers[end], self._heads[end], self._heads[broker] = broker, None, name


def quantile(values, part):
    values = sorted(values)
    return values[max(0, round(part * len(values)) - 1)]


def spread(values):
    """Median, 90 %, last."""
    return " / ".join(f"{quantile(values, part):.1f}" for part in (0.5, 0.9, 1))


def peak(times):
    counts = {}
    for t in times:
        counts[int(t)] = counts.get(int(t), 0) + 1
    return max(counts.values())


def load():
    return pathlib.Path("/proc/loadavg").read_text().split()[0]


def outage(proxy, gateways, away, begin, end):
    """What the proxy saw of one outage of so many seconds."""
    before, last = len(proxy.tries), len(proxy.accepted)
    start = time.monotonic()
    begin()
    time.sleep(max(0, start + away - time.monotonic()))
    end()
    back = time.monotonic()

    def returned():
        return {name: at for at, name in reversed(proxy.accepted[last:]) if at >= start}

    wait_for("all gateways", 900, lambda: len(returned()) == gateways and proxy.links() >= gateways)
    tries = [(at - start, name) for at, name in proxy.tries[before:]]
    firsts = {}
    for at, name in tries:
        firsts.setdefault(name, at)
    first_back = {}
    for at, name in proxy.accepted[last:]:
        first_back.setdefault(name, at - back)
    return {"away_s": round(back - start, 1), "first tries s": spread(firsts.values()), "of them in the busiest s": peak(firsts.values()),
            "back s": spread(first_back.values()), "tries": len(tries), "in the busiest s": peak([at for at, _ in tries]),
            "load": load()}


def model(gateways, away, rate):
    """The same of the model, in its own words."""
    return subprocess.run([MODEL, str(gateways), f"{away:g}", "refused", str(rate)], check=True, capture_output=True, text=True).stdout


def fleet(gateways=200, every="30s", aways=((5, "killed"), (60, "killed"), (120, "cut"))):
    """Rows of measured outages, by what was done. Raises if a record is missing at the end."""
    lab = Lab()
    try:
        broker = lab.broker(extra="log_type none\nmax_connections -1\n")
        proxy = CountingProxy(broker.port)
        lab.proxies.append(proxy)
        backend = lab.backend(broker.port)
        (lab.folder / "bench.ini").write_text(profile(20))
        port = free_ports(gateways)
        lab.sim("--tcp", port, "--tcp-endpoints", gateways, "--meters", "1")
        for i in range(gateways):
            lab.agent("--gateway-id", f"g{i}", "--profile-dir", lab.folder, "--upstream", f"mqtt://127.0.0.1:{proxy.port}", "--store",
                      lab.folder / f"g{i}.db", "--bus", f"name=b,tcp=127.0.0.1:{port + i}", "--meter",
                      f"id=m,bus=b,unit=1,profile=bench,every={every}", "--log-level", "warning", name=f"g{i}")
        wait_for("all gateways", 600, lambda: proxy.links() >= gateways)
        rows = {}
        for away, how in aways:
            time.sleep(35)  # the links have to be stable for 30 s, so that pauses begin anew

            def begin():
                if how == "cut":
                    proxy.away = True
                    proxy.cut()
                else:
                    broker.kill(15)  # a kill -9 would cost mosquitto what it has acknowledged

            def end():
                proxy.away = False
                if how != "cut":
                    broker.start()

            repeats = backend.repeats
            row = outage(proxy, gateways, away, begin, end)
            time.sleep(20)  # a lost record shows when a later one has come
            wait_for("all records", 300, lambda: len(backend.all("readings")) > 0 and not backend.gaps())
            row["lost"] = sum(len(missing) for missing in backend.gaps().values())
            row["repeats"] = backend.repeats - repeats
            rows[f"{gateways} gateways, {how} for {away} s"] = row
            print(f"{how} {away} s: {row}", file=sys.stderr, flush=True)
        return rows
    finally:
        lab.close()


def models(gateways, aways, rate=500):
    rows = {}
    for away in aways:
        text = model(gateways, away, rate)
        rows[f"model, {gateways:,} gateways, away {away} s, {rate} connects/s"] = dict(re.findall(r"(\S[^:|]*): ([^|\n]+?) *(?:\||$)", text))
    return rows
