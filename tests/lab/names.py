"""A name server of the carrier's, on this host.  It wants port 53, and an
address that a guest will use: root, and a network."""
import socket
import struct
import threading


def address():
    """One of this host that is not loopback, or None.  Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("192.0.2.1", 9))
            return s.getsockname()[0]
        except OSError:
            return None


class Names:
    """Answers for these names; .asked has who was asked for."""

    def __init__(self, at, known):
        self.known, self.asked = known, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.sock.bind((at, 53))
        except OSError:
            self.sock.close()
            raise
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            while True:
                query, who = self.sock.recvfrom(512)
                self.sock.sendto(self.answer(query), who)
        except OSError:
            pass

    def answer(self, query):
        """RFC 1035: the question again, and an address if there is one."""
        end, labels = 12, []
        while query[end]:
            labels.append(query[end + 1:end + 1 + query[end]].decode())
            end += 1 + query[end]
        kind, = struct.unpack_from(">H", query, end + 1)
        name = ".".join(labels).lower()
        self.asked.append(name)
        has = kind == 1 and name in self.known
        code = 0 if name in self.known else 3
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, has, 0, 0)
        record = struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + \
            socket.inet_aton(self.known[name]) if has else b""
        return head + query[12:end + 5] + record

    def stop(self):
        self.sock.close()
