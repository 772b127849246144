"""SSH on the wire, as far as tests need it: plain packets before the key
exchange, odd messages after it (through paramiko), and a proxy that cuts."""
import os
import select
import socket
import struct
import threading

import paramiko
from paramiko import common


def read_all(sock, seconds=10):
    """Until the peer closes; None when it does not in time."""
    sock.settimeout(seconds)
    data = b""
    try:
        while True:
            piece = sock.recv(65536)
            if not piece:
                return data
            data += piece
    except ConnectionError:
        return data
    except socket.timeout:
        return None


def read_banner(sock, seconds=10):
    sock.settimeout(seconds)
    data = b""
    while not data.endswith(b"\n"):
        piece = sock.recv(1)
        if not piece:
            break
        data += piece
    return data


def read_exact(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def plain_packet(payload):
    pad = 8 - (len(payload) + 5) % 8
    pad += 8 if pad < 4 else 0
    return struct.pack(">IB", len(payload) + pad + 1, pad) + payload + \
        bytes(pad)


def read_plain_packet(sock):
    n, pad = struct.unpack(">IB", read_exact(sock, 5))
    return read_exact(sock, n - 1)[:n - 1 - pad]


KEXINIT_LISTS = ("kex", "hostkey", "cipher_cs", "cipher_sc", "mac_cs",
                 "mac_sc", "compress_cs", "compress_sc", "lang_cs", "lang_sc")


def parse_kexinit(payload):
    assert payload[0] == 20
    at, lists = 17, {}
    for name in KEXINIT_LISTS:
        n, = struct.unpack(">I", payload[at:at + 4])
        text = payload[at + 4:at + 4 + n].decode()
        lists[name] = text.split(",") if text else []
        at += 4 + n
    return lists


def kexinit(kex="curve25519-sha256", follows=0):
    """Of a client that wants what the server has."""
    lists = [kex, "ssh-ed25519", "aes128-ctr", "aes128-ctr",
             "hmac-sha2-256-etm@openssh.com", "hmac-sha2-256-etm@openssh.com",
             "none", "none", "", ""]
    return b"\x14" + os.urandom(16) + b"".join(
        struct.pack(">I", len(t)) + t.encode() for t in lists) + \
        struct.pack(">BI", follows, 0)


def transport(site, user=None, login=None, key=None, window=None):
    """A paramiko connection, logged in when user is given."""
    t = paramiko.Transport(("127.0.0.1", site.port),
                           default_window_size=window or 2097152)
    t.start_client(timeout=10)
    if user is not None:
        path = key or site.users[user].key
        t.auth_publickey(login or user,
                         paramiko.Ed25519Key(filename=str(path)))
    return t


def raw_channel(t, window, packet, kind="session"):
    """Open a channel with numbers that paramiko would not use.  None when it
    was refused."""
    m = paramiko.Message()
    m.add_byte(common.cMSG_CHANNEL_OPEN)
    m.add_string(kind)
    t.lock.acquire()
    try:
        number = t._next_channel()
        m.add_int(number)
        m.add_int(window)
        m.add_int(packet)
        c = paramiko.Channel(number)
        t._channels.put(number, c)
        t.channel_events[number] = opened = threading.Event()
        t.channels_seen[number] = True
        c._set_transport(t)
        # What this side believes: never opens the window again by itself.
        c._set_window(1 << 30, 32768)
    finally:
        t.lock.release()
    t._send_user_message(m)
    opened.wait(5)
    return c if t._channels.get(number) is not None and t.is_active() \
        else None


def request(t, channel, name, *fields, reply=False):
    """A channel request; fields: bytes, int, bool."""
    m = paramiko.Message()
    m.add_byte(common.cMSG_CHANNEL_REQUEST)
    m.add_int(channel.remote_chanid)
    m.add_string(name)
    m.add_boolean(reply)
    for f in fields:
        if isinstance(f, bool):
            m.add_boolean(f)
        elif isinstance(f, int):
            m.add_int(f)
        else:
            m.add_string(f)
    t._send_user_message(m)


class Proxy:
    """Between client and server; counts, and cuts after so many bytes from
    the client."""

    def __init__(self, port, cut=None):
        self.to = port
        self.cut = cut
        self.passed = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            client, _ = self.listener.accept()
        except OSError:
            return
        with client, socket.create_connection(("127.0.0.1", self.to)) as up:
            while True:
                for s in select.select([client, up], [], [], 20)[0]:
                    try:
                        data = s.recv(65536)
                    except OSError:
                        data = b""
                    if not data:
                        return
                    if s is up:
                        try:
                            client.sendall(data)
                        except OSError:
                            return
                        continue
                    if self.cut is not None:
                        data = data[:self.cut - self.passed]
                    try:
                        up.sendall(data)
                    except OSError:
                        return
                    self.passed += len(data)
                    if self.cut is not None and self.passed >= self.cut:
                        return

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.thread.join(25)
