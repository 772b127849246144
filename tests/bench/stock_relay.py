"""A stock sshd as relay, set up by the script that users run."""
import os
import pwd
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import proc
from proc import now

SETUP = Path(__file__).resolve().parent.parent.parent / "contrib" / \
    "relay" / "oobd-relay-setup.sh"
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") +
                    ":/usr/sbin:/usr/local/sbin")


class Relay:
    """In this folder, for this account; the log is read as it is written."""

    def __init__(self, folder, account):
        self.dir = folder
        self.account = account
        self.port = proc.free_port()
        self.process = None
        self.logins = []            # when each came
        self.dropped = 0
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.setup("--account", account, "--admin", account, "init",
                   "--port", str(self.port))
        self.main = folder / "etc/ssh/sshd_config"
        self.keys = folder / "etc/ssh/oobd-relay" / account

    def setup(self, *words, data=None):
        return subprocess.run(
            ["sh", str(SETUP), "--root", str(self.dir), *words], input=data,
            check=True, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL).stdout

    def host_key(self):
        return self.setup("host-key").splitlines()[0]

    def add_boxes(self, boxes):
        """As add-box does, all in one go: (name, port, public key)."""
        with open(self.keys, "a") as f:
            for name, port, public in boxes:
                at = f"localhost:{port}"
                f.write(f'restrict,port-forwarding,permitlisten="{at}",'
                        f'permitopen="{at}" {public} {name}\n')

    def start(self):
        self.process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(self.main)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True)
        threading.Thread(target=self._read, args=(self.process.stderr,),
                         daemon=True).start()
        proc.wait_port(self.port)

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                if "Accepted publickey" in line:
                    self.logins.append(now())
                elif "MaxStartups" in line or "drop connection" in line:
                    self.dropped += 1

    def pids(self):
        return proc.descendants([self.process.pid])

    def signal(self, number):
        proc.signal_all(self.pids(), number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def close(self):
        if self.process is not None:
            self.signal(signal.SIGCONT)
            self.kill()


class Account:
    """An unprivileged one for the run, where that can be made; else the
    caller's own."""

    def __init__(self, name):
        self.made = False
        if os.geteuid() != 0:
            self.name = pwd.getpwuid(os.geteuid()).pw_name
            return
        self.name = name
        try:
            pwd.getpwnam(name)
        except KeyError:
            subprocess.run(["useradd", "-r", "-M", "-d", "/nonexistent", "-s",
                            "/usr/sbin/nologin", "-p", "*", name], check=True)
            self.made = True

    def close(self):
        if self.made:
            subprocess.run(["userdel", self.name],
                           stderr=subprocess.DEVNULL)
