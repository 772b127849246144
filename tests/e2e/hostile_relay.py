"""A relay that means harm: the right host key, any login accepted, every
forward granted, and then whatever a test has in mind.

One behaviour at a time, for each connection that comes from then on."""
import socket
import struct
import threading
import time

import paramiko

U32 = 0xffffffff

# Messages by number, as in RFC 4250.
IGNORE, UNIMPLEMENTED, DEBUG, SERVICE_ACCEPT = 2, 3, 4, 6
KEXINIT, NEWKEYS, KEX_REPLY = 20, 21, 31
AUTH_SUCCESS, AUTH_BANNER, AUTH_PK_OK = 52, 53, 60
GLOBAL_REQUEST, REQUEST_SUCCESS, REQUEST_FAILURE = 80, 81, 82
OPEN, OPENED, NOT_OPENED, ADJUST, DATA = 90, 91, 92, 93, 94
EXTENDED, EOF, CLOSE, REQUEST, SUCCESS, FAILURE = 95, 96, 97, 98, 99, 100


def message(number, *fields):
    """bytes: a string, str: a string, bool, int: 32 bits; a tuple of one
    bytes: as it stands."""
    m = paramiko.Message()
    m.add_byte(bytes([number]))
    for f in fields:
        if isinstance(f, tuple):
            m.add_bytes(f[0])
        elif isinstance(f, bool):
            m.add_boolean(f)
        elif isinstance(f, int):
            m.add_int(f)
        else:
            m.add_string(f)
    return m


class Socket:
    """A socket that can be told to read no more."""

    def __init__(self, sock):
        self.sock = sock
        self.deaf = threading.Event()

    def recv(self, n):
        while self.deaf.is_set():
            time.sleep(0.05)
        return self.sock.recv(n)

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Policy(paramiko.ServerInterface):
    def __init__(self, connection):
        self.connection = connection

    def get_allowed_auths(self, username):
        return "publickey"

    def check_auth_publickey(self, username, key):
        return paramiko.AUTH_SUCCESSFUL

    def check_port_forward_request(self, address, port):
        self.connection.forwards.append((address, port))
        self.connection.forwarded.set()
        return port or 40404

    def check_channel_direct_tcpip_request(self, chanid, origin, destination):
        return self.connection.relay.self_test(self.connection, chanid,
                                               destination)

    def check_channel_request(self, kind, chanid):
        return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED


class Connection(paramiko.Transport):
    """One box's connection.  hooks: message number to what is done instead
    of sending it: a callable(connection, data)."""

    def __init__(self, relay, sock, hooks):
        self.relay = relay
        self.hooks = hooks
        self.forwards = []
        self.forwarded = threading.Event()
        self.opened = {}            # our number: (theirs, window, packet)
        self.refused = {}           # our number: reason code
        self.data_to = {}           # our number: [bytes of each packet]
        self.replies = 0            # to global requests
        self.wire = Socket(sock)
        super().__init__(self.wire)
        self._handler_table = dict(self._handler_table)
        self._handler_table[OPENED] = Connection._on_opened
        self._handler_table[NOT_OPENED] = Connection._on_refused
        self._handler_table[REQUEST_SUCCESS] = Connection._on_reply
        self._handler_table[REQUEST_FAILURE] = Connection._on_reply
        self._channel_handler_table = dict(
            paramiko.Transport._channel_handler_table)
        self.channels_seen = self.Everything()
        # It is the box that has to lose patience.
        self.banner_timeout = self.auth_timeout = 3600
        self.handshake_timeout = 3600

    class Everything(dict):
        """No channel number is a surprise; ours are counted here."""

        def __contains__(self, number):
            return True

    # What comes.

    def _on_opened(self, m):
        number, theirs = m.get_int(), m.get_int()
        window, packet = m.get_int(), m.get_int()
        self.opened[number] = (theirs, window, packet)

    def _on_refused(self, m):
        number = m.get_int()
        self.refused[number] = m.get_int()

    def _on_reply(self, m):
        self.replies += 1

    # What goes.

    def _send_message(self, data):
        raw = data.asbytes() if hasattr(data, "asbytes") else bytes(data)
        hook = self.hooks.get(raw[0])
        if hook is None:
            super()._send_message(data)
        else:
            hook(self, data)

    def send(self, number, *fields):
        paramiko.Transport._send_message(self, message(number, *fields))

    def open(self, number, kind="forwarded-tcpip", window=1 << 21,
             packet=32768, port=None, rest=None):
        if rest is None:
            address, asked = self.forwards[0]
            p = paramiko.Message()
            p.add_string(address)
            p.add_int(asked if port is None else port)
            p.add_string("198.51.100.7")
            p.add_int(4711)
            rest = p.asbytes()
        self.send(OPEN, kind, number, window, packet, (rest,))

    def answered(self):
        return len(self.opened) + len(self.refused)


def drop(connection, data):
    """The message is never sent."""


def cut(connection, data):
    connection.wire.sock.shutdown(socket.SHUT_RDWR)


def twice(connection, data):
    paramiko.Transport._send_message(connection, data)
    paramiko.Transport._send_message(connection, data)


class Behaviour:
    """raw(sock): before any SSH; True when it took the connection over.
    hooks: see Connection.  act(connection): once a forward was granted, in
    a thread of its own."""

    def __init__(self, raw=None, hooks=None, act=None, self_test=None):
        self.raw = raw
        self.hooks = hooks or {}
        self.act = act
        self.self_test = self_test


class HostileRelay:
    def __init__(self, host_key, behaviour=None):
        self.key = paramiko.Ed25519Key(filename=str(host_key))
        self.behaviour = behaviour or Behaviour()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.connections = []
        self.sockets = []
        self.times = []             # [came, went] of each connection
        self.errors = []
        self.closing = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.sockets.append(sock)
            threading.Thread(target=self._serve,
                             args=(sock, self.behaviour),
                             daemon=True).start()

    def _serve(self, sock, behaviour):
        span = [time.monotonic(), None]
        self.times.append(span)
        try:
            if behaviour.raw is not None and behaviour.raw(sock):
                return
            c = Connection(self, sock, behaviour.hooks)
            self.connections.append(c)
            c.behaviour = behaviour
            c.add_server_key(self.key)
            c.start_server(event=threading.Event(), server=Policy(c))
            while c.is_alive() and not c.forwarded.wait(0.1):
                pass
            if c.forwarded.is_set() and behaviour.act is not None:
                time.sleep(0.1)
                try:
                    behaviour.act(c)
                except (EOFError, OSError, paramiko.SSHException) as e:
                    self.errors.append(e)
            while c.is_alive():
                c.join(0.2)
        except (EOFError, OSError, paramiko.SSHException) as e:
            self.errors.append(e)
        finally:
            span[1] = time.monotonic()
            try:
                sock.close()
            except OSError:
                pass

    def self_test(self, connection, chanid, destination):
        say = connection.behaviour.self_test
        if say is None:
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        return say(connection, chanid, destination)

    def kick(self):
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.sockets.clear()

    def close(self):
        self.closing = True
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for c in self.connections:
            c.wire.deaf.clear()
        self.kick()
        for c in self.connections:
            c.close()


def paced(pieces, seconds):
    """raw(): these pieces over and over, one every so often."""
    def raw(sock):
        try:
            while True:
                for p in pieces:
                    sock.sendall(p)
                    time.sleep(seconds)
        except OSError:
            return True
    return raw


def silent(sock):
    """raw(): read, and never say a word."""
    try:
        while sock.recv(4096):
            pass
    except OSError:
        pass
    return True


def fast(piece, seconds=3):
    """raw(): as much of this as the box takes, for a while."""
    def raw(sock):
        end = time.monotonic() + seconds
        sock.settimeout(1)
        try:
            while time.monotonic() < end:
                sock.sendall(piece)
        except OSError:
            pass
        return True
    return raw


def bad_length(connection):
    """A packet that says it is four gigabytes long, in the clear."""
    connection.wire.sock.sendall(struct.pack(">I", U32) * 4096)
