"""A relay of the test's own, set up on a stock sshd by the script that users
run, and a site that goes out to such relays."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from conftest import (ROOT, Client, Site, die_with_us, free_port, make_key,
                      wait_for)

SETUP = ROOT / "contrib" / "relay" / "oobd-relay-setup.sh"
SSHD = shutil.which("sshd", path=os.environ["PATH"] +
                    ":/usr/sbin:/usr/local/sbin")
# Boxes that vanish are noticed within 3 s, for the tests' sake.
QUICK = ("Match all\n\tClientAliveInterval 1\n\tClientAliveCountMax 2\n")


def parent_table():
    """pid to (ppid, arguments)."""
    ps = subprocess.run(["ps", "-ax", "-o", "pid=,ppid=,args="],
                        capture_output=True, text=True).stdout
    table = {}
    for row in ps.splitlines():
        words = row.split(None, 2) + [""]
        # The arguments of a process may hold line feeds.
        if len(words) > 2 and words[0].isdigit() and words[1].isdigit():
            table[int(words[0])] = (int(words[1]), words[2])
    return table


def descendants(pid):
    """Below pid, parents first."""
    table = parent_table()
    found = []
    todo = [pid]
    while todo:
        parent = todo.pop()
        for child, (ppid, _) in table.items():
            if ppid == parent:
                found.append(child)
                todo.append(child)
    return found


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Relay:
    """A stock sshd on loopback."""

    def __init__(self, ports=1, config=QUICK, host="relay.example.net",
                 public=False):
        self.dir = Path(tempfile.mkdtemp(prefix="relay-"))
        self.ports = [free_port() for _ in range(ports)]
        self.port = self.ports[0]
        self.log_path = self.dir / "log"
        self.log_path.touch()
        self.main = self.dir / "etc/ssh/sshd_config"
        self.process = None
        words = ["--public"] if public else []
        for p in self.ports:
            words += ["--port", str(p)]
        self.setup("--host", host, "init", *words)
        (self.main.parent / "sshd_config.d/10-test.conf").write_text(config)
        # Its own key, of which the test has both halves.
        self.identity = make_key(self.dir / "identity")

    def setup(self, *words, data=None, good=True):
        done = subprocess.run(
            ["sh", str(SETUP), "--root", str(self.dir), *words],
            input=data, stdin=None if data else subprocess.DEVNULL,
            capture_output=True, text=True)
        assert not good or done.returncode == 0, done.stderr
        return done

    def public(self):
        return Path(str(self.identity) + ".pub").read_text()

    def identity_of(self, box):
        """A key for each: one key, one box."""
        if box == "box":
            return self.identity
        path = self.dir / f"identity-{box}"
        return path if path.exists() else make_key(path)

    def add_box(self, name, *ports, key=None):
        return self.setup("add-box", name, *map(str, ports),
                          data=key or self.public()).stdout

    def keys_file(self):
        return next(f for f in (self.dir / "etc/ssh/oobd-relay").iterdir()
                    if not f.name.startswith("."))

    def edit_keys(self, old, new):
        text = self.keys_file().read_text()
        assert old in text
        self.keys_file().write_text(text.replace(old, new))

    def account(self):
        return subprocess.run(["id", "-un"], capture_output=True,
                              text=True).stdout.strip()

    def host_key(self):
        return self.setup("host-key").stdout.splitlines()[0]

    def new_host_key(self):
        """As after a new installation."""
        key = self.dir / "etc/ssh/ssh_host_ed25519_key"
        for f in (key, Path(str(key) + ".pub")):
            f.unlink()
        make_key(key)
        return self.host_key()

    # The process.

    def start(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(self.main)], stderr=log,
                stdout=log, stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=die_with_us)
        for p in self.ports:
            wait_for(lambda: self.open(p), text="sshd")
        return self

    def open(self, port):
        assert self.process is None or self.process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    def listening(self, port):
        """Without connecting, which would be an admin's connection."""
        ss = subprocess.run(["ss", "-Hltn", f"sport = :{port}"],
                            capture_output=True, text=True)
        return bool(ss.stdout.strip())

    def log(self):
        return self.log_path.read_text(errors="replace")

    def accepted(self):
        return self.log().count("Accepted publickey")

    def connections(self):
        """Processes of the connections that there are."""
        return descendants(self.process.pid)

    def kick(self):
        """End the connections, not the server."""
        send_signal(self.connections(), signal.SIGKILL)

    def freeze(self):
        send_signal([self.process.pid] + self.connections(), signal.SIGSTOP)

    def freeze_connections(self):
        """What an uplink that drops everything looks like."""
        stopped = self.connections()
        send_signal(stopped, signal.SIGSTOP)
        return stopped

    def thaw(self):
        send_signal([self.process.pid] + self.connections(), signal.SIGCONT)

    def kill(self):
        pids = self.connections()
        self.process.kill()
        self.process.wait()
        send_signal(pids, signal.SIGKILL)
        self.process = None

    def close(self):
        if self.process is not None:
            self.thaw()
            self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class RelaySite(Site):
    """A site with ways out."""

    def __init__(self):
        super().__init__()
        self.relays = {}            # name: dict of options, as written

    def add_relay(self, name, relay, *listens, box="box", **options):
        """Options as in the file; a list becomes { , }.  The box is entered
        at the relay.  Gives back the forwarded port."""
        if not listens:
            listens = (free_port(),)
        identity = None
        if relay is not None:
            identity = relay.identity_of(box)
            relay.add_box(box, *[p for p in listens if p != 0],
                          key=Path(f"{identity}.pub").read_text())
        said = dict(when="always", keepalive="1s", keepalive_count=3)
        if relay is not None:
            said.update(host="127.0.0.1", port=relay.port,
                        second_port=0, user=relay.account(),
                        identity=str(identity),
                        host_key=[relay.host_key()])
        said["listen"] = [f"localhost:{p}" for p in listens]
        said.update(options)
        self.relays[name] = said
        return listens[0]

    def conf_text(self):
        text = super().conf_text()
        for name, options in self.relays.items():
            text += f'relay "{name}" {{\n'
            for key, value in options.items():
                if isinstance(value, (list, tuple)):
                    value = "{" + ", ".join(f'"{v}"' for v in value) + "}"
                elif isinstance(value, str):
                    value = f'"{value}"'
                text += f"\t{key} = {value}\n"
            text += "}\n"
        return text

    # What the daemon says.

    def relay_status(self, name=None):
        done = self.ctl("relay", "status", "--json")
        assert done.returncode in (0, 1), done.stderr
        said = json.loads(done.stdout)
        rows = {r["name"]: r for r in said["relays"]}
        return rows if name is None else rows[name]

    def await_relay(self, name, *states, seconds=None):
        """Until the relay is in one of these states; gives its row."""
        seen = []

        def look():
            row = self.relay_status(name)
            if not seen or seen[-1] != row["state"]:
                seen.append(row["state"])
            return row if row["state"] in states else None
        try:
            return wait_for(look, seconds, every=0.1)
        except AssertionError:
            raise AssertionError(
                f"relay {name}: waited for {states}, saw {seen}: "
                f"{self.relay_status(name)}") from None

    def await_up(self, name, seconds=None):
        return self.await_relay(name, "forwarded", "proven", seconds=seconds)

    # Ways in, through a relay.

    def box_key(self):
        """Known hosts that name the box "box", whatever its port."""
        path = self.dir / "known_box"
        if not path.exists():           # many may be reading it, and asking
            line = self.known_hosts.read_text().splitlines()[0]
            aside = self.dir / f"known_box.{threading.get_ident()}"
            aside.write_text("box " + line.split(None, 1)[1] + "\n")
            aside.rename(path)
        return path

    def through(self, user, port, *words, login=None):
        """argv of ssh to a forwarded port."""
        argv = self.ssh(user, *words, login=login)
        argv[argv.index("-p") + 1] = str(port)
        known = f"UserKnownHostsFile={self.known_hosts}"
        argv[argv.index(known)] = f"UserKnownHostsFile={self.box_key()}"
        return argv[:1] + ["-o", "HostKeyAlias=box"] + argv[1:]

    def run_through(self, user, port, *words, **kw):
        return self.run(user, argv=self.through(user, port, *words,
                                                login=kw.pop("login", None)),
                        **kw)

    def attach_through(self, user, port, *words, login=None):
        return self.client(self.through(user, port, "-tt", *words,
                                        login=login), tty=True)

    def reachable(self, port, user="alice"):
        done = self.run_through(user, port, "list")
        return done.returncode == 0 and b"gw" in done.stdout


def await_reachable(site, port, seconds=None):
    """How long it took."""
    start = time.monotonic()
    wait_for(lambda: site.reachable(port), seconds, every=0.1,
             text=f"the console at port {port}")
    return time.monotonic() - start


def rss_kb(pid, what="RssAnon"):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(rf"^{what}:\s+(\d+)", f.read(), re.M).group(1))


__all__ = ["Client", "Relay", "RelaySite", "await_reachable", "descendants",
           "rss_kb", "send_signal"]
