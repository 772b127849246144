"""The systems measured: oobd, its rivals behind an sshd of our own, and an
ssh to nothing but an echo, the limit for all of them."""
import os
import pwd
import shutil
import signal
import subprocess
import time

import proc
from load import Client, drain

ACCOUNT = "oobd-bench"          # the unprivileged account ssh logs in to


class Site:
    """What every session needs: programs, keys, the login account.  close()
    takes away what it made."""

    def __init__(self, build, work, oobd):
        self.build, self.work, self.oobd = build, work, oobd
        self.made_account = False
        try:
            pwd.getpwnam(ACCOUNT)
        except KeyError:
            subprocess.run(["useradd", "-r", "-M", "-d", "/", "-s", "/bin/sh",
                            "-p", "*", ACCOUNT], check=True)
            self.made_account = True
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "",
                            "-f", str(work / key)], check=True)
        # The checkout may be out of the account's reach.
        shutil.copy(build / "echo", work / "echo")
        os.makedirs("/run/sshd", exist_ok=True)

    def public_key(self):
        return (self.work / "user.pub").read_text().strip()

    def ssh(self, port, tty, command):
        """argv of an OpenSSH client with its defaults."""
        known = self.work / f"known_hosts.{port}"
        if not known.exists():          # 48 clients at once read it
            known.write_text(f"[127.0.0.1]:{port} "
                             + (self.work / "host.pub").read_text())
        return ["ssh", "-F", "/dev/null", "-e", "none",
                "-tt" if tty else "-T", "-p", str(port),
                "-i", str(self.work / "user"),
                "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
                "-o", "StrictHostKeyChecking=yes",
                "-o", f"UserKnownHostsFile={known}",
                "-o", "LogLevel=ERROR", f"{ACCOUNT}@127.0.0.1", command]

    def close(self):
        if self.made_account:
            subprocess.run(["userdel", ACCOUNT], stderr=subprocess.DEVNULL)


class System:
    """One run of one system; an adapter fills in the first four."""
    name = title = "?"
    needs = ()                  # programs
    logs = True                 # has a record of the line
    shared = True               # several clients on one line
    tty = True                  # its client wants a terminal
    times = False               # a time for every line of the record
    reattach_gap = 0.25         # seconds a line stays locked after a client
    only = None                 # the measurements that make sense

    def serve(self, ttys):
        """Start; return when clients may come."""
        raise NotImplementedError

    def command(self, port):
        """What ssh runs."""
        raise NotImplementedError

    def log_bytes(self, port):
        """The line's bytes as recorded so far, or None."""
        return None

    def server_pids(self):
        """The server itself, as kill -9 would hit it."""
        return proc.descendants(self.roots)

    def __init__(self, site, work):
        self.site, self.work = site, work
        self.roots, self.clients = [], []

    def pids(self):
        """Every process on the server's side, those per session too."""
        return proc.descendants(self.roots)

    def attach(self, port):
        env = dict(PATH=os.environ["PATH"], HOME="/", TERM="xterm")
        c = Client(self.site.ssh(self.port, self.tty, self.command(port)),
                   env)
        self.clients.append(c)
        return c

    def detach(self, client):
        client.close()
        self.clients.remove(client)

    def stop(self):
        for c in list(self.clients):
            self.detach(c)
        proc.end(self.roots, wait=6.0)

    def spawn(self, argv, **kw):
        with open(self.work / "server.err", "ab") as err:
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=err,
                                 stderr=err, **kw)
        self.roots.append(p.pid)
        return p.pid

    def log_dir(self):
        d = self.work / "log"
        d.mkdir(exist_ok=True)
        return d

    def read_log(self, name):
        f = self.log_dir() / name
        return f.read_bytes() if f.exists() else b""


class BehindSshd(System):
    """`ssh account@host COMMAND`: a private sshd, key login, no PAM."""

    def serve_ssh(self):
        self.port = proc.free_port()
        keys = self.work / "authorized_keys"
        keys.write_text(self.site.public_key() + "\n")
        cf = self.work / "sshd_config"
        cf.write_text(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.site.work}/host
AuthorizedKeysFile {keys}
AllowUsers {ACCOUNT}
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
UseDNS no
PrintMotd no
PrintLastLog no
X11Forwarding no
MaxStartups 500
PidFile none
LogLevel ERROR
""")
        self.sshd = self.spawn(["/usr/sbin/sshd", "-D", "-e", "-f", str(cf)])
        proc.wait_port(self.port)

    def server_pids(self):
        return proc.descendants([p for p in self.roots if p != self.sshd])


class Echo(BehindSshd):
    name, title = "ssh-echo", "ssh -T to a program that echoes (limit)"
    needs = ("/usr/sbin/sshd",)
    logs, tty, only = False, False, ("echo", "onecore")

    def serve(self, ttys):
        self.serve_ssh()

    def command(self, port):
        return f"exec {self.site.work}/echo"

    def settle(self, client):
        client.write(b".")
        time.sleep(1.0)
        drain([client], 0.3)


class Cu(BehindSshd):
    name, title = "ssh-cu", "ssh, sshd, cu; no log, one client a line"
    needs = ("/usr/sbin/sshd", "cu")
    logs, shared, reattach_gap = False, False, 3.0

    def serve(self, ttys):
        self.ttys = ttys
        self.serve_ssh()

    def command(self, port):
        return f"exec cu -s 115200 -l {self.ttys[port]}"

    def nothing(self):
        """A session that only begins and ends."""
        return "true"


class Conserver(BehindSshd):
    name, title = "conserver-ssh", "ssh, sshd, console, conserver"
    needs = ("/usr/sbin/sshd", "conserver", "console")

    def serve(self, ttys):
        self.console_port = proc.free_port()
        (self.work / "passwd").write_text("*any*:\n")
        cf = self.work / "conserver.cf"
        cf.write_text(
            "config * { sslrequired no; }\n"
            "access * { trusted 127.0.0.1; }\n"
            "default * { rw *; master localhost; type device; baud 115200; "
            f'parity none; logfile {self.log_dir()}/&; '
            f'timestamp "{"1l" if self.times else ""}"; }}\n'
            + "".join(f"console c{i} {{ device {t}; }}\n"
                      for i, t in enumerate(ttys)))
        self.spawn(["conserver", "-C", str(cf),
                    "-P", str(self.work / "passwd"),
                    "-p", str(self.console_port),
                    "-b", str(proc.free_port()), "-M", "127.0.0.1",
                    "-L", str(self.work / "daemon.log")])
        proc.wait_port(self.console_port)
        time.sleep(0.5)
        self.serve_ssh()

    def command(self, port):
        return (f"exec console -E -M 127.0.0.1 -p {self.console_port} "
                f"-l bench c{port}")

    def log_bytes(self, port):
        return self.read_log(f"c{port}")


class Conman(BehindSshd):
    name, title = "conman-ssh", "ssh, sshd, conman, conmand"
    needs = ("/usr/sbin/sshd", "conmand", "conman")

    def serve(self, ttys):
        self.console_port = proc.free_port()
        cf = self.work / "conman.conf"
        cf.write_text(
            f"SERVER loopback=ON\nSERVER port={self.console_port}\n"
            f'SERVER logdir="{self.log_dir()}"\n'
            'GLOBAL seropts="115200,8n1"\nGLOBAL log="%N.log"\n'
            + ('GLOBAL logopts="timestamp"\n' if self.times else "")
            + "".join(f'CONSOLE name="c{i}" dev="{t}"\n'
                      for i, t in enumerate(ttys)))
        self.spawn(["conmand", "-F", "-c", str(cf)], cwd=str(self.work))
        proc.wait_port(self.console_port)
        time.sleep(0.5)
        self.serve_ssh()

    def command(self, port):
        return f"exec conman -j -d 127.0.0.1:{self.console_port} c{port}"

    def log_bytes(self, port):
        return self.read_log(f"c{port}.log")


class Oobd(System):
    name, title = "oobd", "oobd: its own SSH server, journal on"
    tty = False
    top = ""                    # further lines of the configuration

    def console_options(self, number):
        return ""

    def journal_options(self):
        return ""

    def serve(self, ttys):
        self.port = proc.free_port()
        state = self.work / "state"
        state.mkdir(mode=0o700)
        conf = [self.top + f'name = "bench"\nstate_dir = "{state}"\n'
                f'log_dir = "{self.log_dir()}"\n'
                f'control = "{self.work}/ctl.sock"']
        conf += [f'console "c{i}" {{\n\tdevice = "{t}"\n\tspeed = 115200\n'
                 f'\tsharing = "all"\n\t{self.console_options(i)}\n}}'
                 for i, t in enumerate(ttys)]
        conf += [f'journal {{\n\t{self.journal_options()}\n}}']
        conf += [f'ssh {{\n\tlisten = {{"127.0.0.1:{self.port}"}}\n'
                 f'\thost_key = "{self.site.work}/host"\n'
                 '\tmax_sessions = 256\n}',
                 f'user "{ACCOUNT}" {{\n'
                 f'\tkeys = {{"{self.site.public_key()}"}}\n'
                 '\trole = "admin"\n\tconsoles = {"*"}\n}']
        self.conf = self.work / "oobd.conf"
        self.conf.write_text("\n".join(conf) + "\n")
        self.start_daemon()

    def start_daemon(self):
        """The port is there before anybody takes verbs."""
        said = self.work / "server.err"
        before = said.stat().st_size if said.exists() else 0
        self.spawn([str(self.site.oobd), "-f", str(self.conf)])
        deadline = proc.now() + 15
        while b"oobd: ready" not in said.read_bytes()[before:]:
            if proc.now() > deadline:
                raise RuntimeError("oobd is not ready in 15 s")
            time.sleep(0.01)

    def command(self, port):
        return f"attach c{port}"

    def nothing(self):
        return "help attach"

    def log_bytes(self, port):
        """Through oobctl, so that bytes are judged and not the format."""
        return subprocess.run(
            [str(self.site.oobd.with_name("oobctl")), "-D",
             str(self.log_dir()), "log", f"c{port}", "--raw"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout

    def stop(self):
        """It ends its processes itself, when the record is whole."""
        proc.signal_all(self.roots, signal.SIGTERM)
        deadline = proc.now() + 10
        while any(map(proc.alive, self.roots)) and proc.now() < deadline:
            proc.reap()
            time.sleep(0.02)
        super().stop()

    def restart_after_kill(self):
        """kill -9 left everything as it was: start over on it."""
        self.roots = []
        self.start_daemon()
        time.sleep(1.0)


ALL = (Oobd, Cu, Conserver, Conman, Echo)


def missing(system, site_oobd):
    """Programs that are not there."""
    needs = system.needs or (str(site_oobd),
                             str(site_oobd.with_name("oobctl")))
    return [p for p in needs if shutil.which(p) is None]


def kill_9(pids):
    proc.signal_all(pids, signal.SIGKILL)
