"""What is left of a link, whatever ends it; relays that are for PPP alone,
found by the name that the carrier's server knows."""
import re

import pytest
from box import Ssh
from guest import wait_for
from names import Names, address
from night import MODEM, PPPD, Night
from stick import HOST, tool

NAME = "relay.example.net"
CONF = f"""modem {{
{MODEM}	dial_timeout = 20s
}}
activation {{
	hold = 10min
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


def two_pppd(image):
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
        f"exec {tool('slirp-fullbolt')} {words}ppp", two_pppd)
    try:
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
