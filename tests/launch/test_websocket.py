"""The WebSocket client against a hand-written server, and the frames of RFC 6455 section 5.7."""

import base64
import hashlib
import socket
import threading

import pytest

from maprps.launch.websocket import WebSocket


class Peer:
    """A server that shakes hands with one client; a test reads and writes its raw bytes."""

    def __init__(self, accept=True):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/ws?clientId=1"
        self.accept = accept
        self.thread = threading.Thread(target=self._shake_hands)
        self.thread.start()

    def _shake_hands(self):
        self.connection, _ = self.listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.connection.recv(4096)
        self.request = request.decode()
        if not self.accept:
            self.connection.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")
            return
        key = next(line.split(": ")[1] for line in self.request.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
        )

    def read_exactly(self, count):
        data = b""
        while len(data) < count:
            data += self.connection.recv(count - len(data))
        return data

    def close(self):
        self.thread.join()
        self.connection.close()
        self.listener.close()


@pytest.fixture
def pair():
    peer = Peer()
    client = WebSocket(peer.url)
    peer.thread.join()
    yield client, peer
    client.close()
    peer.close()


def test_asks_for_the_path_and_query(pair):
    assert pair[1].request.startswith("GET /ws?clientId=1 HTTP/1.1\r\n")


def test_rfc_text_frame(pair):
    client, peer = pair
    peer.connection.sendall(bytes.fromhex("810548656c6c6f"))
    assert client.receive(5) == "Hello"


def test_rfc_fragments_with_a_ping_between(pair):
    client, peer = pair
    peer.connection.sendall(bytes.fromhex("010348656c" + "890548656c6c6f" + "80026c6f"))
    assert client.receive(5) == "Hello"
    pong = peer.read_exactly(11)
    assert pong[:2] == b"\x8a\x85"
    assert bytes(a ^ b for a, b in zip(pong[6:], pong[2:6] * 2, strict=False)) == b"Hello"


@pytest.mark.parametrize(("length", "head"), [(256, "827e0100"), (65536, "827f0000000000010000"), (125, "827d")])
def test_binary_of_every_length_form(pair, length, head):
    client, peer = pair
    payload = bytes(range(256)) * 256
    peer.connection.sendall(bytes.fromhex(head) + payload[:length])
    assert client.receive(5) == payload[:length]


@pytest.mark.parametrize("text", ["", "Grüße", "x" * 126, "y" * 70000])
def test_sends_masked_text(pair, text):
    client, peer = pair
    client.send(text)
    first, second = peer.read_exactly(2)
    assert first == 0x81 and second & 0x80
    length = second & 0x7F
    if length > 125:
        length = int.from_bytes(peer.read_exactly(2 if length == 126 else 8), "big")
    mask = peer.read_exactly(4)
    data = peer.read_exactly(length)
    assert bytes(byte ^ mask[i % 4] for i, byte in enumerate(data)).decode() == text


def test_half_a_message_survives_a_timeout(pair):
    client, peer = pair
    peer.connection.sendall(bytes.fromhex("010348656c" + "80026c"))
    with pytest.raises(TimeoutError):
        client.receive(0.05)
    peer.connection.sendall(b"o")
    assert client.receive(5) == "Hello"


@pytest.mark.parametrize("ending", [b"\x88\x00", b""])
def test_close_and_loss_are_connection_errors(pair, ending):
    client, peer = pair
    peer.connection.sendall(ending)
    peer.connection.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ConnectionError):
        client.receive(5)


def test_refusal_is_a_connection_error():
    peer = Peer(accept=False)
    with pytest.raises(ConnectionError, match="404"):
        WebSocket(peer.url)
    peer.close()
