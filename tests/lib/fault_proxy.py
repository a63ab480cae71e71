"""A TCP proxy before an MQTT broker that does on request what networks and brokers do to a gateway.

One thread serves all connections; faults are plain attributes that a test sets at any time. It knows MQTT's packets, so that it can
break a connection in the middle of one, lose an acknowledgement, or end the connection at a certain message.
"""
import collections
import selectors
import socket
import struct
import threading
import time

PUBLISH, PUBACK = 3, 4
_MOST_QUEUED = 1 << 20  # bytes a direction; then it is not read any more, as a full socket would do


def packets(buffer):
    """Takes whole MQTT packets from the front of a bytearray (MQTT 3.1.1, 2.2: type, length of 7 bits a byte, rest)."""
    while len(buffer) >= 2:
        length, at = 0, 1
        while True:
            if at >= len(buffer):
                return
            length |= (buffer[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if buffer[at - 1] < 0x80:
                break
        if len(buffer) < at + length:
            return
        packet = bytes(buffer[:at + length])
        del buffer[:at + length]
        yield packet


def topic_of(publish):
    at = 1
    while publish[at] >= 0x80:
        at += 1
    size, = struct.unpack_from(">H", publish, at + 1)
    return publish[at + 3:at + 3 + size].decode()


class _Way:
    """One direction of a connection."""

    def __init__(self, source, sink, to_broker):
        self.source, self.sink, self.to_broker = source, sink, to_broker
        self.incoming, self.queue, self.queued = bytearray(), collections.deque(), 0

    def push(self, due, data):
        self.queue.append((due, data))
        self.queued += len(data)


class FaultProxy:
    def __init__(self, target):
        self.target = target
        self.away = False             # new connections are closed at once
        self.delay = 0.0              # seconds that every packet is late, in both directions
        self.drop_pubacks = 0         # so many of the broker's next PUBACKs are lost
        self.reset_in_publish = 0     # so many of the next PUBLISH packets are cut off in their middle by a reset
        self.refused = None           # the connection is reset at a PUBLISH for which refused(topic) is true
        self.connections = 0          # so many were accepted
        self.dropped, self.resets, self.refusals = 0, 0, 0
        self._ways = {}               # socket -> the way that begins there
        self._frozen = []             # sockets of which nobody hears any more
        self._wanted = collections.deque()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._end = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        """Ends all connections in good order (FIN)."""
        self._wanted.append(False)

    def reset(self):
        """Ends all connections by RST."""
        self._wanted.append(True)

    def freeze(self):
        """Half-opens the present connections: nothing passes any more, and nobody is told. New ones are well."""
        self._wanted.append(None)

    def close(self):
        self._end = True
        self._thread.join(5)

    def _run(self):
        try:
            while not self._end:
                ready = self._selector.select(0.01)
                while self._wanted:
                    by_reset = self._wanted.popleft()
                    self._freeze_all() if by_reset is None else self._end_all(by_reset)
                for key, _events in ready:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._ways:
                        self._read(self._ways[key.fileobj])
                for way in list(self._ways.values()):
                    if way.source in self._ways:
                        self._write(way)
        finally:
            self._end_all(False)
            for end in (self._listener, *self._frozen):
                end.close()

    def _accept(self):
        client, _address = self._listener.accept()
        try:
            if self.away:
                raise OSError
            server = socket.create_connection(("127.0.0.1", self.target), 2)
        except OSError:
            client.close()
            return
        self.connections += 1
        for source, sink, to_broker in ((client, server, True), (server, client, False)):
            source.setblocking(False)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ways[source] = _Way(source, sink, to_broker)
            self._selector.register(source, selectors.EVENT_READ)

    def _read(self, way):
        if way.queued > _MOST_QUEUED:
            return
        try:
            data = way.source.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end_pair(way, False)
            return
        way.incoming += data
        for packet in packets(way.incoming):
            if not self._pass(way, packet):
                return

    def _pass(self, way, packet):
        """False when the connection was ended for it."""
        kind, due = packet[0] >> 4, time.monotonic() + self.delay
        if kind == PUBACK and self.drop_pubacks > 0 and not way.to_broker:
            self.drop_pubacks -= 1
            self.dropped += 1
            return True
        if kind == PUBLISH and way.to_broker:
            if self.refused is not None and self.refused(topic_of(packet)):
                self.refusals += 1
                self._end_pair(way, True)
                return False
            if self.reset_in_publish > 0:
                self.reset_in_publish -= 1
                self.resets += 1
                way.push(0, packet[:len(packet) // 2])
                self._write(way)
                self._end_pair(way, True)
                return False
        way.push(due, packet)
        return True

    def _write(self, way):
        while way.queue and way.queue[0][0] <= time.monotonic():
            due, data = way.queue.popleft()
            way.queued -= len(data)
            try:
                sent = way.sink.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._end_pair(way, False)
                return
            if sent < len(data):
                way.queue.appendleft((due, data[sent:]))
                way.queued += len(data) - sent
                return

    def _end_pair(self, way, by_reset):
        for end in (way.source, way.sink):
            if self._ways.pop(end, None) is None:
                continue
            self._selector.unregister(end)
            if by_reset:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def _freeze_all(self):
        for end in self._ways:
            self._selector.unregister(end)
        self._frozen += self._ways
        self._ways.clear()

    def _end_all(self, by_reset):
        for way in list(self._ways.values()):
            self._end_pair(way, by_reset)
