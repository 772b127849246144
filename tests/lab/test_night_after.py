"""The morning after: a stick that only its bus can wake, networks that are
none, a drill; what is left of a link, whatever ends it; relays that are for
PPP alone, found by the name that the carrier's server knows."""
import http.server
import json
import re
import threading

import pytest
from box import Ssh
from guest import free_port, wait_for
from names import Names, address
from night import MODEM, OWNER, PPPD, Night
from stick import HOST, PORTS, tool

NAME = "relay.example.net"
HOOK = free_port()
# What a daemon left that was killed is read to the end, however long it takes.
CONF = f"""journal {{
	pack = false
}}
modem {{
{MODEM}	dial_timeout = 20s
	prove_timeout = 20s
	default_route = false
}}
activation {{
	from = {{"{OWNER}"}}
	hold = 10min
}}
notify "hook" {{
	type = "webhook"
	url = "http://{HOST}:{HOOK}/h"
	secret_file = "/var/oobd/state/hook"
}}
"""
# Told to, it is one that does nothing and does not go away.
SCRIPT = """#!/bin/sh
if test -e /tmp/deaf; then
	trap '' TERM INT HUP
	while :; do sleep 1; done
fi
exec /usr/sbin/pppd.real "$@"
"""


class Hook(http.server.ThreadingHTTPServer):
    """Who is notified: in the carrier's network, and nowhere else."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("", HOOK), Handler)
        self.told = []
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def about(self, event):
        return [m["text"] for m in self.told if m["event"] == event]

    def stop(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.told.append(json.loads(
            self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def change(image):
    image.file("var/oobd/state/hook", "k3y\n", 0o600)
    image.program(tool("pppd"), "usr/sbin/pppd.real")
    image.file("usr/sbin/pppd", SCRIPT, 0o755)


@pytest.fixture(scope="module")
def names():
    """The carrier's own where this host lets us; else the host's."""
    at = address()
    try:
        it = None if at is None else Names(at, {NAME: HOST})
    except OSError:                     # not root, or there is one
        it = None
    yield it
    if it is not None:
        it.stop()


@pytest.fixture(scope="module")
def night(stock_kernel, work, keys, names):
    words = "" if names is None else f"'dns {address()}' "
    it = Night(stock_kernel, work, keys, {
        "cloud": {},
        "only": {"over": '"ppp"', "when": '"always"',
                 "host": f'"{HOST if names is None else NAME}"'}}, CONF,
        f"exec {tool('slirp-fullbolt')} {words}ppp", change)
    try:
        it.hook = it.add(Hook())
        it.start().listening()
        yield it
    finally:
        it.stop()


def up(n, relay="cloud"):
    n.ctl("link", "up")
    n.expect_each(("link-up", "way=ppp"), ("relay-up", f"relay={relay} "))


def down(n):
    n.ctl("link", "down")
    n.expect("link-down", "asked for it")
    n.expect("link-state", "state=idle ")
    n.nothing_left()


def test_a_relay_for_ppp_alone(night, names, clients):
    """Off while there is no PPP, though it is always wanted; then it is
    found, connected and used over PPP."""
    n = night
    assert re.search(r"only: off", n.ctl("relay", "status", check=False))
    assert not n.forwarded("only") and not n.relay.logins
    up(n, "only")
    n.over_ppp()
    if names is not None:
        assert NAME in names.asked
    for name in ("cloud", "only"):
        wait_for(n.told, lambda: n.forwarded(name))
        ssh = Ssh(n.keys, "alice", n.ports[name], ["list"])
        clients.append(ssh)
        assert ssh.finish() == 0 and b"gw" in ssh.data, bytes(ssh.errors)
    down(n)
    wait_for(n.told, lambda: not any(map(n.forwarded, n.ports)))


def nodes(n):
    """{serial number: tty} of the adapters that there are."""
    return dict(row.split() for row in n.shell(
        "for t in /sys/bus/usb-serial/devices/*; do u=$(readlink -f $t); "
        "echo $(cat ${u%/*/*}/serial) ${t##*/}; done",
        check=False).splitlines() if len(row.split()) == 2)


def resets(n):
    return re.findall(r"reset .*USB device", n.shell("dmesg"))


def stay(n):
    """The processes that nothing here may end."""
    return {r: p for r, p in n.roles().items()
            if r in ("supervisor", "console", "ssh", "modem", "notify")}


def test_usb_reset(night):
    """A stick that hears nothing any more, and has no power hook: the bus
    resets it, though who talks to it may not.  Nobody else is disturbed."""
    n = night
    assert set(nodes(n)) == {"router", *PORTS} and not resets(n)
    before = stay(n)
    n.sim.order("fault +CSQ x1 hang")
    n.sim.order("urc ^MODE:5,4")        # it is looked at, now
    wait_for("the question", lambda: "AT+CSQ" in n.sim.order("commands 2"))
    n.sim.order("silent both")
    n.expect("modem-repair", "reopen the ports")
    n.expect("modem-repair", "USB reset")
    wait_for(n.told, lambda: resets(n), 20, 0.2)
    n.sim.order("silent off")           # as of a stick that came to itself
    n.expect("modem-ready")
    assert "USB reset: exit status 0" in n.said(), n.told()
    assert len(resets(n)) == 1 and set(nodes(n)) == {"router", *PORTS}
    log = n.shell("dmesg")
    assert len(re.findall("FTDI USB Serial Device converter now disconnected",
                          log)) == 1, log
    repairs = json.loads(n.ctl("modem", "status", "--json"))["repairs"]
    assert repairs["usb"] == 1 and repairs["power"] == 0
    assert stay(n) == before
    assert [k for _, k, _ in n.events()].count("line") == 1
    n.listening()


def drilled(n):
    """What `status` and `link status` say of the last one."""
    last = json.loads(n.ctl("link", "status", "--json"))["drill"]["last"]
    text = re.search(r"drill: +(.*)", n.ctl("status"))[1]
    return last, text


def test_drill_over_ppp(night):
    """The whole way and back, without anybody."""
    n = night
    text = n.shell("oobctl -s /var/oobd/ctl.sock link drill", 150)
    assert re.search(r"drill: proven over PPP, took \d+ s, \d+ kB: 1 of 1 "
                     r"lines up\n$", text), text
    n.expect("drill-start")
    n.expect("link-up", "way=ppp", 'who="drill"')
    n.expect("drill-done", "proven over PPP")
    last, shown = drilled(n)
    assert last["result"] == "good" and last["way"] == "ppp"
    assert last["seconds"] > 0 and last["bytes"] > 3000
    assert re.match(r"last proven working 20[0-9: -]+ UTC over PPP, took "
                    r"\d+ s, \d+ kB: 1 of 1 lines up", shown), shown
    n.nothing_left()
    assert "attach" not in [k for _, k, _ in n.events()]


def failed(n, name, sent):
    """By its name: in status with the time of the next try, and by SMS."""
    n.expect("link-state", "state=failed ", f"{name}: ")
    text = n.ctl("link", "status")
    assert re.search(rf"{name}: ", text) and "next try" in text, text
    seen = json.loads(n.ctl("link", "status", "--json"))
    assert seen["failure"] == name and seen["retry_at"]
    number, text = n.answers(sent)[-1]
    assert number == OWNER
    assert re.match(rf"lab: link failed: {name}; next try in \d+s; ",
                    text), text


def test_networks_that_are_none(night):
    """One that answers everything itself, one that answers nothing.  Then
    a good one: who is to be told of that is told over it."""
    n = night
    logins = len(n.relay.logins)
    n.sim.order("carrier portal")
    n.command("up 9")
    n.expect("link-ppp", "address=10.64.64.7")
    failed(n, "E-PORTAL", 2)        # the first said that it dials
    n.gone()
    n.ctl("link", "down")
    n.expect("link-state", "state=idle ")
    n.sim.order("carrier dead")
    n.command("up 9")
    n.expect("link-ppp", "interface=ppp0")
    failed(n, "E-DEAD", 4)
    n.gone()
    assert len(n.relay.logins) == logins
    assert not n.hook.about("link-state")
    n.sim.order("carrier command")
    up(n)
    n.over_ppp()
    wait_for(n.told, lambda: n.hook.about("link-state"), 60, 0.2)
    assert re.match("the link failed: .*E-PORTAL: ",
                    n.hook.about("link-state")[0])
    assert n.shell("oobctl -s /var/oobd/ctl.sock notify test").startswith(
        "hook: sent, HTTP status 200")
    down(n)


def wide_routes(n):
    """(destination, mask, interface) of all that are not of one network."""
    return {(w[0], w[2], w[7]) for w in map(str.split, n.shell(
        "route -n").splitlines()) if len(w) == 8 and
        w[2] in ("0.0.0.0", "128.0.0.0")}


def default_route(n, value):
    before = n.said().count("oobd.conf reloaded")
    n.shell(f"sed -i 's/default_route = .*/default_route = {value}/' "
            "/etc/oobd.conf")
    n.shell(f"kill -HUP {n.roles()['supervisor']}")
    wait_for(n.told, lambda: n.said().count("oobd.conf reloaded") > before)


def test_the_way_to_everywhere(night):
    """Only where it is asked for; the other default stays beneath it."""
    n, stays = night, ("0.0.0.0", "0.0.0.0", "eth0")
    assert wide_routes(n) == {stays}
    default_route(n, "true")
    up(n)
    assert wide_routes(n) == {stays, ("0.0.0.0", "128.0.0.0", "ppp0"),
                              ("128.0.0.0", "128.0.0.0", "ppp0")}
    down(n)
    assert wide_routes(n) == {stays}
    default_route(n, "false")


def test_pppd_that_ignores_term(night):
    """It is killed, and the next one does its work."""
    n = night
    n.shell("touch /tmp/deaf")
    n.ctl("link", "up")
    n.expect("link-state", "state=negotiating ")
    n.expect("link-state", "state=failed ", "E-PDP")
    n.nothing_left()
    assert "PPP does not end: killing it" in n.said()
    n.shell("rm /tmp/deaf")
    up(n)
    down(n)


@pytest.mark.parametrize("which", ["supervisor", "all"])
def test_daemon_killed(night, which):
    """-9 while it is up: no paid link without us; then the promise is kept,
    on a link of its own."""
    n = night
    up(n)
    old, until = n.pids(PPPD), n.ends()
    assert len(old) == 1
    if which == "all":
        n.shell("killall -9 oobd")
    else:
        n.shell(f"kill -9 {n.roles()['supervisor']}")
    wait_for(n.told, lambda: not n.pids(PPPD) and not n.roles(), 10, 0.2)
    n.gone()
    n.start()
    n.expect("start")
    n.expect_each(("link-up", "way=ppp"), ("relay-up", "relay=cloud "))
    assert len(n.pids(PPPD)) == 1 and n.pids(PPPD) != old
    assert n.ends() == until
    n.over_ppp()
    down(n)
