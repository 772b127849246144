"""A site with a simulated modem, and one-time codes as an admin has them."""
import json
import subprocess
import sys

from conftest import BUILD, PATIENCE, ROOT, wait_for
from sim_modem import Modem

sys.path.insert(0, str(ROOT / "tests"))

import otp          # noqa: E402

OWNER = "+46701234567"
OTHER = "+46709999999"
STRANGER = "+46700000001"
PIN = "73519264"


class Codes(otp.Codes):
    """An authenticator app: alice's, or another admin's."""

    def __init__(self, site, name="alice"):
        done = subprocess.run(
            [str(BUILD / "oobctl"), "code", "new", name, "-f",
             str(site.conf)], capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        super().__init__(done.stdout)


class ModemSite:
    """Around a site of conftest: modem, codes, and what came of them."""

    def __init__(self, site, ports=2, pin=None, activation="", modem="",
                 sim=(), extra=""):
        self.site = site
        folder = site.dir / "m"
        folder.mkdir()
        if "gw" not in site.lines:
            site.add_line("gw", echo=True)
            site.add_user("alice")
            site.add_user("bob", role="viewer")
        conf = f'modem {{\n\tdata = "{folder}/data"\n'
        if ports == 2:
            conf += f'\tcontrol = "{folder}/control"\n'
        if pin:
            path = site.dir / "pin"
            path.write_text(pin + "\n")
            path.chmod(0o600)
            conf += f'\tpin_file = "{path}"\n'
        conf += f'{modem}}}\nactivation {{\n\tfrom = {{"{OWNER}"}}\n'
        conf += f'{activation}}}\n{extra}'
        site.top = conf
        self.pin = pin
        self.args = ("-d",)
        site.write()
        for d in ("state", "journal"):
            (site.dir / d).mkdir(mode=0o700, exist_ok=True)
        self.codes = Codes(site)
        # Last: nobody stops it when any of this fails.
        self.sim = Modem(folder, *(("--pin", pin) if pin else ()),
                         *sim, ports=ports)

    def start(self, ready=True):
        self.site.start(*self.args)
        if ready:
            self.listening()
        return self

    def status(self):
        done = self.site.ctl("status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def sms_line(self):
        return self.status().get("modem", {}).get("sms", "")

    def listening(self, seconds=None):
        wait_for(lambda: self.sms_line().startswith("listening"),
                 seconds or 3 * PATIENCE, 0.1, "listening for messages")

    def link(self):
        done = self.site.ctl("link", "status", "--json")
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def events(self, kind=""):
        text = self.site.ctl("log", "--events").stdout.decode()
        return [row.split(" ", 2)[2] if row.count(" ") > 1 else row
                for row in text.splitlines() if f"Z {kind}" in row]

    def text(self, words, sender=OWNER):
        self.sim.do(f"text {sender} {words}")

    def command(self, words, sender=OWNER):
        """With the next good code, as its owner would send it."""
        self.text(f"{words} {self.codes.next()}", sender)

    # What the modem sent.

    def sent(self):
        """[(number, text)] of whole messages, decoded by oobctl."""
        raw = self.sim.do("sent")
        found, parts = [], {}
        for pdu in [] if raw == "none" else raw.split():
            m = self.decode(pdu)
            part = m.get("concat")
            if not part:
                found.append((m["recipient"], m["text"]))
                continue
            key = m["recipient"], part["ref"]
            parts.setdefault(key, {})[part["seq"]] = m["text"]
            if len(parts[key]) == part["total"]:
                found.append((m["recipient"], "".join(
                    parts[key][i + 1] for i in range(part["total"]))))
                del parts[key]
        assert not parts
        return found

    def decode(self, pdu):
        done = subprocess.run(
            [str(BUILD / "oobctl"), "sms", "decode", pdu, "--json"],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def sent_now(self, n, seconds=None):
        """Wait for so many; there are no more than that."""
        wait_for(lambda: int(self.sim.stat()["sent"]) >= n, seconds,
                 text=f"{n} messages sent, {self.sim.stat()}")
        found = self.sent()
        assert len(found) == n, found
        return found

    def empty(self, seconds=None):
        """Until nothing is left in the modem."""
        wait_for(lambda: self.sim.do("stores") == "none" and
                 self.sim.stat()["waiting"] == "0", seconds,
                 text=f"deleting {self.sim.do('stores')}")

    def alive(self):
        """All that came until now is dealt with and answered; a ping is."""
        self.empty(6 * PATIENCE)
        wait_for(lambda: "; 0 waiting" in self.sms_line(), 6 * PATIENCE,
                 0.1, "answering")
        before = int(self.sim.stat()["sent"])
        self.command("ping")
        found = self.sent_now(before + 1, 6 * PATIENCE)
        assert "pong" in found[-1][1], found
        return found

    # The end.

    def written(self):
        """Everything the daemon wrote for people to read."""
        text = self.site.log()
        for path in sorted((self.site.dir / "journal").rglob("*")):
            if path.is_file():
                text += path.read_text(errors="replace")
        return text

    def check_secrets(self):
        text = self.written()
        for code in self.codes.given:
            assert code not in text, f"a code was written: {code}"
        if self.pin:
            assert self.pin not in text, "the PIN was written"

    def close(self):
        try:
            self.check_secrets()
            self.site.stop()
            self.check_secrets()
        finally:
            status = self.sim.stop()
        assert status == 0
