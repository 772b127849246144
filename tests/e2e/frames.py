"""Raw frames."""
import os
import socket
import struct

from conftest import PATIENCE, PROTO_VERSION


class Frames:
    """The control socket as docs/frames.md says, without a feed."""

    def __init__(self, site):
        self.said = {}
        self.fds = []
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(site.control))
        self.send(0x0101, struct.pack(">H", PROTO_VERSION) +
                  self.text("test"))

    @staticmethod
    def text(s):
        return struct.pack(">H", len(s)) + s.encode()

    def send(self, kind, payload):
        self.sock.sendall(struct.pack(">IHH", len(payload), kind, 0) + payload)

    def command(self, request, *words):
        self.send(0x010b, struct.pack(">IIBHHB", request, 0, 0, 80, 24,
                                      len(words)) +
                  b"".join(map(self.text, words)))

    def exactly(self, n):
        data = b""
        while len(data) < n:
            piece, fds, _, _ = socket.recv_fds(self.sock, n - len(data), 8)
            self.fds += fds
            if not piece:
                raise EOFError
            data += piece
        return data

    def ends(self, n):
        """request to (status, text) of the next n answers."""
        found, said = {}, self.said
        while len(found) < n:
            size, kind, _ = struct.unpack(">IHH", self.exactly(8))
            payload = self.exactly(size)
            if kind == 0x020a:
                request, = struct.unpack(">I", payload[:4])
                said[request] = said.get(request, b"") + payload[5:]
            elif kind == 0x020b:
                request, status = struct.unpack(">IB", payload[:5])
                found[request] = (status, said.pop(request, b""))
        return found

    def close(self):
        self.sock.close()
        for fd in self.fds:
            os.close(fd)
