"""A WebSocket client in the standard library (RFC 6455), for servers on this machine: no TLS, no extensions."""

import base64
import hashlib
import os
import socket
import struct
from urllib.parse import urlsplit

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocket:
    """One connection to a ws:// address. Raises OSError where the server refuses it."""

    def __init__(self, url: str, timeout: float = 10.0):
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), timeout)
        self._buffer = bytearray()  # received, not yet a whole frame
        self._message, self._kind = bytearray(), _TEXT  # frames of a message that goes on
        key = base64.b64encode(os.urandom(16)).decode()
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        self._buffer = bytearray(rest)
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest())
        if b" 101 " not in head.split(b"\r\n")[0] + b" " or accept not in head:
            raise ConnectionError(f"{url} is not a WebSocket: {head.splitlines()[0].decode(errors='replace')}")

    def send(self, text: str) -> None:
        self._send(_TEXT, text.encode())

    def receive(self, timeout: float | None = None) -> str | bytes:
        """The next message: str for text, bytes for binary.

        TimeoutError: none came in time, and the connection is still good. ConnectionError: the server has closed it.
        """
        self._socket.settimeout(timeout)
        while True:
            final, opcode, payload = self._frame()
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode == _CLOSE:
                raise ConnectionError("closed by the server")
            elif opcode in (_TEXT, _BINARY, _CONTINUATION):
                self._kind = opcode or self._kind
                self._message += payload
                if final:
                    message, self._message = bytes(self._message), bytearray()
                    return message.decode() if self._kind == _TEXT else message

    def close(self) -> None:
        self._socket.close()

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = struct.pack(">BB", 0x80 | opcode, 0x80 | length)
        elif length < 1 << 16:
            head = struct.pack(">BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack(">BBQ", 0x80 | opcode, 0x80 | 127, length)
        mask = os.urandom(4)  # a client has to mask what it sends
        stream = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        masked = (int.from_bytes(payload, "big") ^ stream).to_bytes(length, "big")
        self._socket.sendall(head + mask + masked)

    def _frame(self) -> tuple[bool, int, bytes]:
        """(final, opcode, payload) of one whole frame. A timeout leaves what has come so far in the buffer."""
        while True:
            buffer = self._buffer
            if len(buffer) >= 2:
                length, start = buffer[1] & 0x7F, 2
                if length == 126 and len(buffer) >= 4:
                    length, start = struct.unpack_from(">H", buffer, 2)[0], 4
                elif length == 127 and len(buffer) >= 10:
                    length, start = struct.unpack_from(">Q", buffer, 2)[0], 10
                if (length < 126 or start > 2) and len(buffer) >= start + length:
                    first, payload = buffer[0], bytes(buffer[start : start + length])
                    del buffer[: start + length]
                    return bool(first & 0x80), first & 0x0F, payload
            self._fill()

    def _fill(self) -> None:
        chunk = self._socket.recv(1 << 16)
        if not chunk:
            raise ConnectionError("closed by the server")
        self._buffer += chunk
