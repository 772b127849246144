"""What may happen to a site.  Each act is done with it when it returns, or
leaves a thread that the next check waits for."""
import os
import signal
import socket
import struct
import threading
import time

from modem_site import STRANGER
from people import drain
from world import LONG, wait_for

VIEWERS = 8
STORM = 60                      # half-open connections
BUSY = ("console", "ssh")       # an echo goes through these


class Acts:
    def __init__(self, world, dice):
        self.world, self.dice = world, dice
        self.site, self.modem = world.site, world.modem
        self.threads = []
        self.kills = True           # in this period
        self.pings = 0              # with a good code, since the check
        self.modem_hurt = False     # since the check
        self.done = {}              # name to how often
        # (weight, what)
        self.table = ((8, self.attach), (6, self.detach), (3, self.slow),
                      (6, self.flood), (4, self.messages), (2, self.storm),
                      (2, self.junk), (2, self.wrong_key), (2, self.reload),
                      (1, self.bad_reload), (2, self.replug), (2, self.full),
                      (1, self.ask), (1, self.kick_relay), (3, self.kill),
                      (1, self.hang))

    def one(self):
        what = self.dice.choices([w for _, w in self.table],
                                 [n for n, _ in self.table])[0]
        if what() is not False:
            self.done[what.__name__] = self.done.get(what.__name__, 0) + 1
        return what.__name__

    def thread(self, what, *args):
        self.threads = [t for t in self.threads if t.is_alive()]
        self.threads.append(threading.Thread(target=what, args=args,
                                             daemon=True))
        self.threads[-1].start()

    def settle(self):
        """Until nothing that was begun goes on."""
        for t in self.threads:
            t.join(2 * LONG)
            assert not t.is_alive(), "a line takes nothing"
        self.threads = []

    # People.

    def attach(self):
        name = self.dice.choice(("gw", "sw", "ap"))
        through = self.dice.random() < 0.3
        if len(self.world.viewers) >= VIEWERS:
            return False
        self.world.watch(name, through and self.world.relay is not None)

    def detach(self):
        if not self.world.viewers:
            return False
        v = self.dice.choice(self.world.viewers)
        self.world.leave(v, self.dice.choice(
            (signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)))

    def slow(self):
        """Somebody's laptop sleeps for a while."""
        if not self.world.viewers:
            return False
        v = self.dice.choice(self.world.viewers)
        v.stopped = True
        v.client.process.send_signal(signal.SIGSTOP)
        self.thread(self._wake, v, self.dice.uniform(0.5, 5))

    @staticmethod
    def _wake(viewer, seconds):
        time.sleep(seconds)
        if viewer.client.alive():
            viewer.client.process.send_signal(signal.SIGCONT)

    def ask(self):
        verb = self.dice.choice((("who",), ("list", "--json"), ("digest",),
                                 ("log", "sw", "--tail", "50"),
                                 ("grep", "-c", "foxes", "ap"),
                                 ("log", "--events")))
        self.site.ctl(*verb, seconds=LONG)

    # Lines.

    def flood(self):
        line = self.site.lines[self.dice.choice(("sw", "ap"))]
        self.thread(self._print, line, self.dice.randrange(1, 60))

    @staticmethod
    def _print(line, pieces):
        for _ in range(pieces):
            line.print(100)
            time.sleep(0.01)

    def replug(self):
        """Without what the cable would lose."""
        name = self.dice.choice(("sw", "ap"))
        self.settle()
        self.world.received(name)
        line = self.site.lines[name]
        line.unplug()
        wait_for(lambda: not self.world.consoles().get(
            name, {"up": True})["up"], LONG, 0.1, "the loss of a line")
        time.sleep(self.dice.uniform(0, 1))
        line.plug()
        wait_for(lambda: self.world.consoles().get(
            name, {"up": False})["up"], LONG, 0.1, "the line to be back")

    # The disk.

    def full(self):
        if not self.world.disk:
            return False
        ballast = self.site.dir / "journal" / "ballast"
        with open(ballast, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(1 << 16))
            except OSError:
                pass
        self.thread(self._print, self.site.lines["sw"], 80)
        time.sleep(self.dice.uniform(0.5, 3))
        ballast.unlink()
        wait_for(lambda: all(c["journal"]["healthy"] for c in
                             self.world.consoles().values() or
                             [{"journal": {"healthy": False}}]),
                 LONG, 0.1, "recording again")

    # The modem.

    def messages(self):
        """Some of them mean harm, some say nothing, one may be good."""
        for _ in range(self.dice.randrange(1, 12)):
            kind = self.dice.randrange(4)
            if kind == 0:
                self.modem.text(f"ping {self.dice.randrange(10 ** 8):08d}")
            elif kind == 1:
                self.modem.text("up 60 123456", STRANGER)
            else:
                self.modem.text("".join(self.dice.choices(
                    "abcdefghij 0123456789", k=self.dice.randrange(1, 100))),
                    STRANGER)
        if self.dice.random() < 0.5:
            self.modem.command("ping")
            self.pings += 1

    # The network.

    def storm(self):
        held = []
        for _ in range(STORM):
            s = socket.socket()
            s.settimeout(5)
            try:
                s.connect(("127.0.0.1", self.site.port))
            except OSError:
                s.close()
                continue
            held.append(s)
        for s in held:
            if self.dice.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
            s.close()

    def junk(self):
        try:
            with socket.create_connection(("127.0.0.1", self.site.port),
                                          5) as s:
                if self.dice.random() < 0.7:
                    s.sendall(b"SSH-2.0-x\r\n")
                s.sendall(self.dice.randbytes(self.dice.randrange(1, 5000)))
                drain(s, 0.5)
        except OSError:
            pass

    def wrong_key(self):
        argv = self.site.ssh("alice", "list", login="bob")
        argv[argv.index(str(self.site.users["alice"].key))] = \
            str(self.site.dir / "state" / "ssh_host_ed25519_key")
        assert self.site.run("alice", argv=argv,
                             seconds=LONG).returncode != 0

    def kick_relay(self):
        if not self.world.relay:
            return False
        self.world.relay.kick()
        time.sleep(0.5)

    # The processes.

    def reload(self):
        self.site.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)

    def bad_reload(self):
        """Read by the time this returns, or at the latest as it is again."""
        good = self.site.conf.read_text()
        self.site.conf.write_text(good + 'colour = "green"\n')
        self.site.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.site.conf.write_text(good)

    def kill(self):
        return self._hurt(signal.SIGKILL)

    def hang(self):
        return self._hurt(signal.SIGSTOP)

    def _hurt(self, number):
        roles = self.site.children()
        if not self.kills or not roles:
            return False
        role = self.dice.choice(sorted(roles))
        if role not in BUSY:
            self._replace(role, roles[role], number)
        else:
            with self.world.disturbing():
                self._replace(role, roles[role], number)
                self.world.up()
        if role in ("modem", "console"):
            self.modem_hurt = True

    def _replace(self, role, pid, number):
        def again():
            """Nobody else may wake it meanwhile."""
            if self.site.children().get(role, pid) != pid:
                return True
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
            return False
        wait_for(again, LONG, 0.5, f"another {role} process")
