"""A client by hand, for what no library lets one do."""
import socket


def string(text):
    return len(text.encode()).to_bytes(2, "big") + text.encode()


class SilentClient:
    """MQTT 3.1.1 by hand: it never sends a PUBACK."""

    def __init__(self, port, user, password, client_id=None, patience=10):
        self.socket = socket.create_connection(("127.0.0.1", port), patience)
        self.file = self.socket.makefile("rb")
        self.send(0x10, string("MQTT") + b"\x04\xc0\x00\x3c" + string(client_id or f"metergate-{user}") + string(user) + string(password))
        self.session_present = self.packet(0x20)[0] == 1

    def send(self, kind, body):
        length, encoded = len(body), bytearray()
        while not encoded or length:
            length, low = divmod(length, 128)
            encoded.append(low | (0x80 if length else 0))
        self.socket.sendall(bytes([kind]) + encoded + body)

    def packet(self, kind):
        """The next packet of that kind."""
        while True:
            first = self.file.read(1)
            assert first, "the broker ended the connection"
            length = shift = 0
            while True:
                byte = self.file.read(1)[0]
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            body = self.file.read(length)
            if first[0] & 0xF0 == kind:
                return body

    def subscribe(self, topic):
        self.send(0x82, b"\x00\x01" + string(topic) + b"\x01")
        assert self.packet(0x90)[2] == 1, "the subscription was refused"

    def close(self):
        self.file.close()
        self.socket.close()
