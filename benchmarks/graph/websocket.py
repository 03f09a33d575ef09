"""The receiving side of a websocket (RFC 6455), as far as a ComfyUI server needs it."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class WebSocket:
    """Text messages of a server. Raises OSError where the connection cannot be made or ends."""

    def __init__(self, url: str, timeout: float):
        """url: http or https."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        host, port = parts.hostname or "127.0.0.1", parts.port or (443 if secure else 80)
        self._socket = socket.create_connection((host, port), timeout)
        if secure:
            self._socket = ssl.create_default_context().wrap_socket(self._socket, server_hostname=host)
        self._held = b""
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        lines = (
            f"GET {target} HTTP/1.1",
            f"Host: {host}:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        )
        self._socket.sendall("\r\n".join((*lines, "", "")).encode("ascii"))
        while b"\r\n\r\n" not in self._held:
            self._held += self._more()
        head, self._held = self._held.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n", 1)[0]:
            raise OSError(f"the server answered {head.splitlines()[0].decode('latin-1')!r} to a websocket")

    def receive(self) -> str:
        """The next text message; other kinds are left out."""
        message, kind = b"", 0
        while True:
            final, opcode, payload = self._frame()
            if opcode == CLOSE:
                raise OSError("the server closed the connection")
            if opcode == PING:
                self._send(PONG, payload)
            if opcode >= CLOSE:
                continue
            kind, message = opcode or kind, message + payload
            if final and kind == TEXT:
                return message.decode("utf-8")
            if final:
                message = b""

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length >= 126:
            length = struct.unpack(">H" if length == 126 else ">Q", self._take(2 if length == 126 else 8))[0]
        return bool(first & 0x80), first & 0x0F, self._take(length)

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
        self._socket.sendall(bytes((0x80 | opcode, 0x80 | len(payload))) + mask + masked)

    def _take(self, count: int) -> bytes:
        while len(self._held) < count:
            self._held += self._more()
        found, self._held = self._held[:count], self._held[count:]
        return found

    def _more(self) -> bytes:
        found = self._socket.recv(1 << 16)
        if not found:
            raise OSError("the server closed the connection")
        return found
