"""A mutator that speaks SSH: it agrees on keys as any client does, and then
encrypts and authenticates whatever it has made of a packet.  So the daemon
that is tested is the one that is shipped, with no check of it turned off."""
import random
import socket
import struct

import paramiko

from sshwire import kexinit, plain_packet, read_banner

U32 = (0, 1, 2, 10, 63, 64, 255, 256, 32767, 32768, 65536, 1 << 20,
       (1 << 31) - 1, 1 << 31, (1 << 32) - 2, (1 << 32) - 1)
TEXTS = (b"", b"\0", b"\0" * 300, b"%s%n%x" * 20, b"../../etc/passwd",
         b"\xff" * 64, b"\x1b]0;x\x07", b"a," * 600, b"," * 50,
         "\u202eeno".encode(), b"A" * 5000, b"\r\n" * 20)
LONG = 30000, 40000, 250000


class Text(bytes):
    """A string on the wire: its length, and itself."""


class Raw(bytes):
    """As it stands."""


def wire(number, fields):
    out = bytes([number])
    for f in fields:
        if isinstance(f, Text):
            out += struct.pack(">I", len(f)) + f
        elif isinstance(f, bool):
            out += bytes([f])
        elif isinstance(f, int):
            out += struct.pack(">I", f)
        else:
            out += f
    return out


class Packets:
    """Good messages of every kind that a client may send, by the dice."""

    def __init__(self, dice, key, users):
        self.dice, self.key, self.users = dice, key, users

    def text(self, *good):
        return Text(self.dice.choice(good))

    def channel(self):
        return self.dice.randrange(3)

    # The login.

    def service(self):
        return 5, [self.text(b"ssh-userauth", b"ssh-connection")]

    def user(self):
        return self.text(*[u.encode() for u in self.users])

    def auth_none(self):
        return 50, [self.user(), Text(b"ssh-connection"), Text(b"none")]

    def auth_key(self):
        kind = self.dice.choice((b"ssh-ed25519", b"ssh-rsa", b"rsa-sha2-512",
                                 b"ecdsa-sha2-nistp256",
                                 b"sk-ssh-ed25519@openssh.com",
                                 b"ssh-ed25519-cert-v01@openssh.com"))
        blob = self.key.asbytes()
        if self.dice.random() < 0.5:
            blob = wire(0, [Text(kind), Text(self.dice.randbytes(32)),
                            Text(self.dice.randbytes(64))])[1:]
        fields = [self.user(), Text(b"ssh-connection"), Text(b"publickey"),
                  self.dice.random() < 0.5, Text(kind), Text(blob)]
        if fields[3]:
            fields.append(Text(wire(0, [
                Text(kind), Text(self.dice.randbytes(64))])[1:]))
        return 50, fields

    def auth_password(self):
        return 50, [self.user(), Text(b"ssh-connection"), Text(b"password"),
                    False, Text(b"secret")]

    def auth_kbdint(self):
        return 50, [self.user(), Text(b"ssh-connection"),
                    Text(b"keyboard-interactive"), Text(b""), Text(b"")]

    def info_response(self):
        n = self.dice.randrange(4)
        return 61, [n, *[Text(b"12345678") for _ in range(n)]]

    def success(self):
        return self.dice.choice((51, 52, 53, 60)), [Text(b"x"), False]

    # Channels.

    def open(self):
        kind = self.dice.choice((b"session", b"session", b"direct-tcpip",
                                 b"forwarded-tcpip", b"x11",
                                 b"auth-agent@openssh.com",
                                 b"direct-streamlocal@openssh.com"))
        fields = [Text(kind), self.channel(), 1 << 20, 32768]
        if b"tcpip" in kind:
            fields += [Text(b"localhost"), 22, Text(b"127.0.0.1"), 4711]
        return 90, fields

    def open_answer(self):
        return self.dice.choice(((91, [0, 0, 1 << 20, 32768]),
                                 (92, [0, 1, Text(b"no"), Text(b"")])))

    def request(self):
        name, rest = self.dice.choice((
            (b"pty-req", [Text(b"xterm"), 80, 24, 0, 0,
                          Text(b"\x01\0\0\0\x0f\0")]),
            (b"shell", []), (b"exec", [self.text(
                b"list", b"who", b"attach gw", b"log gw --tail 3",
                b"status --json", b"grep x", b"help")]),
            (b"subsystem", [self.text(b"console", b"console:gw", b"sftp")]),
            (b"env", [Text(b"LANG"), Text(b"C.UTF-8")]),
            (b"window-change", [132, 50, 0, 0]), (b"signal", [Text(b"INT")]),
            (b"break", [500]), (b"auth-agent-req@openssh.com", []),
            (b"x11-req", [False, Text(b"MIT-MAGIC-COOKIE-1"),
                          Text(b"00" * 16), 0]),
            (b"exit-status", [0]), (b"eow@openssh.com", []),
            (b"keepalive@openssh.com", []), (b"xon-xoff", [True])))
        return 98, [self.channel(), Text(name), self.dice.random() < 0.5,
                    *rest]

    def data(self):
        return 94, [self.channel(), self.text(b"x", b"\r", b"\x05c?",
                                              b"\x05ci", b"hello" * 50)]

    def extended(self):
        return 95, [self.channel(), 1, Text(b"err")]

    def adjust(self):
        return 93, [self.channel(), self.dice.choice(U32)]

    def end(self):
        return self.dice.choice((96, 97, 99, 100)), [self.channel()]

    # Everywhere.

    def global_request(self):
        name, rest = self.dice.choice((
            (b"tcpip-forward", [Text(b"localhost"), 0]),
            (b"cancel-tcpip-forward", [Text(b""), 22]),
            (b"streamlocal-forward@openssh.com", [Text(b"/tmp/x")]),
            (b"keepalive@openssh.com", []),
            (b"hostkeys-prove-00@openssh.com", [Text(b"x")]),
            (b"no-more-sessions@openssh.com", [])))
        return 80, [Text(name), self.dice.random() < 0.5, *rest]

    def global_answer(self):
        return self.dice.choice((81, 82)), [Raw(b"")]

    def noise(self):
        return self.dice.choice((
            (2, [Text(b"ignored")]), (3, [7]),
            (4, [True, Text(b"debug"), Text(b"")]),
            (7, [1, Text(b"server-sig-algs"), Text(b"ssh-ed25519")]),
            (8, [])))

    def kex(self):
        return self.dice.choice((
            (20, [Raw(kexinit()[1:])]), (21, []),
            (30, [Text(self.dice.randbytes(32))]),
            (31, [Text(b"k"), Text(b"f"), Text(b"s")]),
            (34, [1024, 2048, 8192])))

    def anything(self):
        return self.dice.randrange(256), [
            Raw(self.dice.randbytes(self.dice.randrange(200)))]

    LOGIN = (service, auth_none, auth_key, auth_key, auth_password,
             auth_kbdint, auth_kbdint, info_response, info_response, success,
             noise, kex, global_request, open, request, anything)
    INSIDE = (open, open, request, request, request, data, data, extended,
              adjust, end, global_request, global_answer, open_answer, noise,
              kex, auth_key, anything)

    def one(self, stage):
        return self.dice.choice(stage)(self)


class Mutator:
    def __init__(self, dice):
        self.dice = dice

    def text(self, f):
        d = self.dice
        kind = d.randrange(6)
        if kind == 0:
            return Text(d.choice(TEXTS))
        if kind == 1:
            return Text(bytes(d.choice(LONG)))
        if kind == 2:           # a length that lies
            return Raw(struct.pack(">I", d.choice(U32)) + f)
        if kind == 3:
            return Text(f[:d.randrange(len(f) + 1)])
        if kind == 4:
            return Text(f + d.randbytes(d.randrange(1, 20)))
        return Text(self.flip(f))

    def flip(self, data):
        data = bytearray(data)
        for _ in range(self.dice.randrange(1, 4)):
            if data:
                data[self.dice.randrange(len(data))] ^= \
                    1 << self.dice.randrange(8)
        return bytes(data)

    def fields(self, fields):
        """One of them is changed, dropped, said twice or swapped."""
        d, fields = self.dice, list(fields)
        if not fields:
            return fields
        i = d.randrange(len(fields))
        f = fields[i]
        kind = d.randrange(8)
        if kind == 0:
            del fields[i]
        elif kind == 1:
            fields.insert(i, f)
        elif kind == 2:
            j = d.randrange(len(fields))
            fields[i], fields[j] = fields[j], fields[i]
        elif isinstance(f, Text):
            fields[i] = self.text(f)
        elif isinstance(f, bool):
            fields[i] = Raw(bytes([d.randrange(256)]))
        elif isinstance(f, int):
            fields[i] = d.choice(U32)
        else:
            fields[i] = Raw(self.flip(f))
        return fields

    def payload(self, number, fields):
        d = self.dice
        kind = d.randrange(10)
        if kind < 3:
            return wire(number, fields)
        if kind < 8:
            return wire(number, self.fields(fields))
        raw = wire(number, fields)
        if kind == 8:
            return raw[:d.randrange(1, len(raw) + 1)]
        return self.flip(raw) + d.randbytes(d.randrange(8))


class Visit:
    """One connection, with everything it does drawn from its own seed."""

    def __init__(self, port, key, user, users, seed):
        self.dice = random.Random(seed)
        self.port, self.key, self.user = port, key, user
        self.packets = Packets(self.dice, key, users)
        self.mutator = Mutator(self.dice)
        self.sent = 0

    def run(self):
        kind = self.dice.randrange(4)
        try:
            if kind == 0:
                self.in_the_clear()
            else:
                self.behind_keys(login=kind > 1)
        except (OSError, EOFError, paramiko.SSHException, ValueError):
            pass                # it had enough of us

    def in_the_clear(self):
        """Before there are keys, and with a first packet that may be good."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            read_banner(s)
            s.sendall(self.dice.choice((b"SSH-2.0-x\r\n", b"SSH-2.0-x\n",
                                        b"SSH-2.0-\xff%s\r\n")))
            for _ in range(self.dice.randrange(1, 6)):
                number, fields = self.packets.kex() \
                    if self.dice.random() < 0.7 \
                    else self.packets.one(Packets.LOGIN)
                if number == 20 and self.dice.random() < 0.5:
                    fields = self.name_lists()
                s.sendall(plain_packet(self.mutator.payload(number, fields)))
                self.sent += 1
            self.leave(s)

    def name_lists(self):
        raw = kexinit()
        at, fields = 17, [Raw(raw[1:17])]
        for _ in range(10):
            n, = struct.unpack(">I", raw[at:at + 4])
            fields.append(Text(raw[at + 4:at + 4 + n]))
            at += 4 + n
        return fields + [self.dice.random() < 0.3, 0]

    def behind_keys(self, login):
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        t = paramiko.Transport(sock)
        t.daemon = True
        try:
            t.start_client(timeout=20)
            if login:
                t.auth_publickey(self.user, self.key)
            stage = Packets.INSIDE if login else Packets.LOGIN
            if login and self.dice.random() < 0.9:
                # Something to talk about; paramiko would refuse numbers
                # that it has not given away.
                self.send(t, wire(90, [Text(b"session"), 0, 1 << 20, 32768]))
            elif not login and self.dice.random() < 0.9:
                self.send(t, wire(5, [Text(b"ssh-userauth")]))
            for _ in range(self.dice.randrange(1, 25)):
                message = self.mutator.payload(*self.packets.one(stage))
                for _ in range(self.dice.choice((1, 1, 1, 1, 1, 1, 30))):
                    self.send(t, message)
            self.leave(sock)
        finally:
            t.close()
            t.join(5)

    def send(self, t, payload):
        m = paramiko.Message()
        m.add_bytes(payload)
        # Straight to the wire: a key exchange that is going on, or that
        # nobody will end, holds nothing up.
        t.packetizer.send_message(m)
        self.sent += 1

    def leave(self, sock):
        kind = self.dice.randrange(3)
        if kind == 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack("ii", 1, 0))
        elif kind == 1:
            sock.settimeout(0.05)
            try:
                while sock.recv(65536):
                    pass
            except OSError:
                pass
