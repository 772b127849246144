"""Through a relay: the same console reached over a connection that the box
made to a stock sshd, by oobd, and as it is done by hand: ssh -R to the relay
and sshd and cu on the box.  The person's client is ssh -J in both."""
import os
import select
import shutil
import signal
import socket
import subprocess
import threading
import time

import fleet
import measure
import proc
import systems
from load import Client
from proc import now
from stock_relay import Relay


# For quick sizes: who vanished is noticed within seconds, at both ends.
QUICK_BOX = "\tkeepalive = 2s\n"
QUICK_RELAY = "Match all\n\tClientAliveInterval 1\n\tClientAliveCountMax 2\n"


class Path:
    """Bytes between the box and the relay, until it freezes: then what
    there is stays open and silent, and what comes new passes."""

    def __init__(self, port):
        self.to = port
        self.frozen = set()
        self.live = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                a, _ = self.listener.accept()
                b = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                if self.listener.fileno() == -1:
                    return
                a.close()
                continue
            for s in (a, b):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(a, b),
                             daemon=True).start()

    def _pass(self, a, b):
        pair = (a, b)
        self.live.add(pair)
        other = {a: b, b: a}
        while pair not in self.frozen:
            for s in select.select(pair, [], [], 0.1)[0]:
                try:
                    data = s.recv(65536)
                    other[s].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    a.close()
                    b.close()
                    self.live.discard(pair)
                    return

    def freeze(self):
        self.frozen |= self.live

    def close(self):
        self.listener.close()
        for a, b in list(self.live):
            a.close()
            b.close()


class Relayed:
    """What both have in common: a relay, and clients that come through."""

    def make_relay(self, path=False, config=""):
        self.relay = Relay(self.work / "relay", systems.ACCOUNT)
        (self.relay.main.parent / "sshd_config.d/10-bench.conf").write_text(
            config)
        self.forward = proc.free_port()
        key = self.work / "box"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        str(key)], check=True)
        self.identity = key
        public = (self.work / "box.pub").read_text().split()[:2]
        self.relay.add_boxes([("box", self.forward, " ".join(public))])
        self.relay.setup("add-admin", "person",
                         data=self.site.public_key())
        self.known = self.work / "known"
        self.known.write_text(
            f"[127.0.0.1]:{self.relay.port} {self.relay.host_key()}\n"
            "box " + (self.site.work / "host.pub").read_text())
        self.relay.start()
        self.path = Path(self.relay.port) if path else None
        self.out = self.path.port if path else self.relay.port

    def options(self, identity):
        argv = ["-F", "/dev/null", "-i", str(identity)]
        for o in ("IdentitiesOnly=yes", "BatchMode=yes", "IdentityAgent=none",
                  "StrictHostKeyChecking=yes", "LogLevel=ERROR",
                  f"UserKnownHostsFile={self.known}"):
            argv += ["-o", o]
        return argv

    def through(self, command, tty=False):
        """ssh -J relay, with what -J cannot be told written out."""
        user = self.site.work / "user"
        jump = ["ssh", *self.options(user), "-p", str(self.relay.port), "-W",
                f"localhost:{self.forward}",
                f"{systems.ACCOUNT}@127.0.0.1"]
        return ["ssh", *self.options(user), "-e", "none",
                "-tt" if tty else "-T", "-o", "HostKeyAlias=box", "-o",
                "ProxyCommand=" + " ".join(jump),
                f"{systems.ACCOUNT}@localhost", command]

    def forwarded(self):
        ss = subprocess.run(["ss", "-Hltn", f"sport = :{self.forward}"],
                            capture_output=True, text=True)
        return bool(ss.stdout.strip())

    def wait_forward(self, limit=120):
        end = now() + limit
        while not self.forwarded():
            if now() > end:
                raise RuntimeError("the forward did not come")
            time.sleep(0.01)

    def attach(self, port):
        self.wait_forward()
        env = dict(PATH=os.environ["PATH"], HOME="/", TERM="xterm")
        c = Client(self.through(self.command(port), self.tty), env)
        self.clients.append(c)
        return c

    def stop(self):
        super().stop()
        self.relay.close()
        if self.path is not None:
            self.path.close()


class OobdRelayed(Relayed, systems.Oobd):
    def serve(self, ttys, when="always", extra="", path=False,
              config=""):
        self.make_relay(path, config)
        self.section = (
            f'relay "r" {{\n\thost = "127.0.0.1"\n\tport = {self.out}\n'
            f'\tsecond_port = 0\n\tuser = "{self.relay.account}"\n'
            f'\tidentity = "{self.identity}"\n'
            f'\thost_key = {{"{self.relay.host_key()}"}}\n'
            f'\tlisten = "localhost:{self.forward}"\n'
            f'\twhen = "{when}"\n{extra}}}\n')
        super().serve(ttys)

    def start_daemon(self):
        if self.section not in self.conf.read_text():
            with open(self.conf, "a") as f:
                f.write(self.section)
        super().start_daemon()

    def ctl(self, *words):
        return subprocess.run(
            [str(self.site.oobd.with_name("oobctl")), "-s",
             f"{self.work}/ctl.sock", *words], check=True,
            stdout=subprocess.PIPE)

    def reachable(self, limit=300):
        """Seconds until somebody who tries all the time gets his list."""
        start = now()
        while now() - start < limit:
            self.wait_forward(limit)
            done = subprocess.run(self.through("list"), timeout=60,
                                  stdin=subprocess.DEVNULL,
                                  capture_output=True)
            if done.returncode == 0 and b"c0" in done.stdout:
                return now() - start
            time.sleep(0.05)
        raise RuntimeError("the console did not come back")


class CuRelayed(Relayed, systems.Cu):
    def serve(self, ttys):
        self.make_relay()
        super().serve(ttys)
        self.spawn(["ssh", *self.options(self.identity), "-N", "-o",
                    "ExitOnForwardFailure=yes", "-p", str(self.relay.port),
                    "-R", f"localhost:{self.forward}:127.0.0.1:{self.port}",
                    f"{systems.ACCOUNT}@127.0.0.1"])


systems.Oobd.relayed = OobdRelayed
systems.Cu.relayed = CuRelayed


def relay_echo(bench, system):
    """Keystroke to echo, through the relay."""
    return measure.echo(bench, system.relayed)


def started(bench, router, **kw):
    """A server of ours with other words for serve()."""
    server = OobdRelayed(bench.site, bench.site.work / f"r{bench.count}")
    server.work.mkdir()
    server.serve(router.ttys, **kw)
    return server


def way_times(bench, system):
    """From "link up" to a console that somebody reaches, and back again
    from a relay that was killed, one that was frozen, and a path that
    swallows everything."""
    quick = not bench.sizes.crash_paced
    extra = QUICK_BOX if quick else ""
    silence = 10 if quick else 75
    out = {}
    with bench.session(system.relayed) as (router, idle):
        idle.stop()
        bench.count += 1
        s = started(bench, router, when="activated", extra=extra)
        try:
            times = []
            for _ in range(3):
                start = now()
                s.ctl("link", "up")
                s.reachable()
                times.append(now() - start)
                s.ctl("link", "down")
                while s.forwarded():
                    time.sleep(0.05)
            out["link_up_s"] = measure.median(times)
        finally:
            s.stop()
        bench.count += 1
        s = started(bench, router, extra=extra, path=True,
                    config=QUICK_RELAY if quick else "")
        try:
            s.reachable()
            s.relay.kill()
            s.relay.start()
            out["killed_s"] = s.reachable()
            time.sleep(1)
            s.relay.signal(signal.SIGSTOP)
            time.sleep(silence)
            s.relay.signal(signal.SIGCONT)
            out["thawed_s"] = s.reachable()
            time.sleep(1)
            s.path.freeze()
            start = now()
            pid = ss_owner(s.forward)
            while ss_owner(s.forward) == pid:
                time.sleep(0.1)
            s.reachable()
            out["path_s"] = now() - start
        finally:
            s.stop()
    return out


def ss_owner(port):
    """Which process listens there; None: nobody."""
    ss = subprocess.run(["ss", "-Hltnp", f"sport = :{port}"],
                        capture_output=True, text=True).stdout
    return ss.split("pid=")[1].split(",")[0] if "pid=" in ss else None


def fleet_figures(bench, system):
    """Many boxes at one stock sshd: what it holds for each, and how they
    come back after it was gone for so long."""
    sizes = bench.sizes
    bench.count += 1
    work = bench.site.work / f"{bench.count:03d}-fleet"
    work.mkdir()
    many = fleet.Fleet(work, sizes.fleet_boxes, bench.site.oobd)
    try:
        out = many.steady(span=30 if sizes.crash_paced else 5)
        gone = [many.outage(down) for down in sizes.fleet_down]
    finally:
        many.close()
        if not bench.keep:
            shutil.rmtree(work, ignore_errors=True)
    for n, row in enumerate(gone):
        out.update({f"{key}_{n}": v for key, v in row.items()})
    out["turned_away"] = sum(row["dropped"] for row in gone)
    out["all_back"] = all(row["back"] == sizes.fleet_boxes for row in gone)
    if out["all_back"]:
        out["back_s"] = max(row["all"] for row in gone)
    return out


MEASUREMENTS = {
    "relay": measure.Measurement(relay_echo, "echo_runs", relayed=True),
    "way": measure.Measurement(way_times, relayed=True, alone=True),
    "fleet": measure.Measurement(fleet_figures, alone=True, once=True),
}
