"""A hundred lost relay connections under valgrind: no error, nothing left,
no descriptor more than before."""
import os
import shutil
import time

import pytest

from conftest import wait_for
from relay_site import Relay, RelaySite
from test_valgrind import findings, patience, start  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.skipif(
    "san" in os.environ.get("OOBD_BUILD", ""),
    reason="a sanitizer and valgrind do not go together")]

ROUNDS = 100


@pytest.fixture
def home(request):
    relay = Relay().start()
    s = RelaySite()
    s.relay = relay
    request.node.sites = [s]
    s.top = "deadline = 60s"
    s.add_line("gw", echo=True)
    s.add_user("alice", role="admin")
    s.out = s.add_relay("cloud", relay, keepalive="20s")
    yield s
    try:
        s.close()
    finally:
        relay.close()


@pytest.mark.long
@pytest.mark.timeout(480)
def test_hundred_reconnects(home, patience):  # noqa: F811
    assert shutil.which("valgrind"), "valgrind is not installed"
    s, relay = home, home.relay
    start(s)
    s.await_up("cloud")
    assert s.reachable(s.out)
    pid = s.children()["ssh"]

    def lose(n):
        """The relay drops us; SIGHUP cuts the wait short."""
        before = relay.accepted()
        relay.kick()
        # It may be quicker than we look.
        wait_for(lambda: not relay.listening(s.out) or
                 relay.accepted() > before)
        if n % 10 == 5:             # with somebody in it, now and then
            time.sleep(0.2)

        def back():
            s.reload()
            return relay.accepted() > before and relay.listening(s.out)
        wait_for(back, every=0.05)
    for n in range(5):
        lose(n)
    s.await_up("cloud")
    time.sleep(1)
    fds = s.fds("ssh")
    for n in range(5, ROUNDS):
        lose(n)
        if n % 20 == 0:
            assert s.reachable(s.out)
    s.await_up("cloud")
    assert s.reachable(s.out)
    wait_for(lambda: s.fds("ssh") <= fds, text=f"back to {fds} descriptors")
    assert s.children()["ssh"] == pid
    assert s.stop(60) == 0
    assert list(s.dir.glob("vg.*")), "valgrind left no word"
    assert findings(s) == {}
