"""The bad clients of test_ssh_abuse once more, all of them through the port
that a stock sshd forwards: whoever types there feels nothing, and neither
does the box.  One site for all, so that what they leave behind adds up."""
import threading
import time

import pytest

import test_ssh_abuse as direct
from conftest import PATIENCE, wait_for
from relay_site import Relay, RelaySite
from sshwire import read_all
from test_ssh_abuse import (  # noqa: F401
    SAID, idle_connections, storm, test_channel_storm,
    test_channels_that_are_never_closed_by_the_client,
    test_client_that_ignores_its_window, test_cut_at_every_byte,
    test_ignores_before_the_key_exchange, test_junk, test_packets_of_no_size,
    test_packets_of_odd_size, test_random_junk, test_reader_that_does_not_read,
    test_resets_in_the_middle, test_slowloris, test_stall_in_a_rekey,
    test_stall_in_the_login,
    test_wrong_guess_of_the_key_exchange)

# Of a source's own limits the relay is exempt; the others are here in words
# of their own.
OTHERWISE = {"test_limits_per_source", "test_stall_then_grace",
             "test_half_open_storm", "test_half_open_storm_goes_on"}
CHANNELS = 120                  # each takes several ways there and back


class ForwardedSite(RelaySite):
    """Its port is the one at the relay, and near the one at the box."""

    def __init__(self):
        super().__init__()
        self.relay = Relay()

    def start(self, *args):
        self.relay.start()
        forward = self.add_relay("cloud", self.relay)
        super().start(*args)
        self.await_up("cloud")
        self.near, self.port = self.port, forward
        at_box = self.known_hosts.read_text()
        self.learn_host_key()
        with open(self.known_hosts, "a") as f:
            f.write(at_box)
        return self

    def run(self, user, *words, **kw):
        """A relay carries max_channels and refuses what is beyond them at
        once: who tries again within the grace time gets in."""
        end = time.monotonic() + 20
        while True:
            done = super().run(user, *words, **kw)
            if b"kex_exchange_identification" not in done.stderr or \
                    time.monotonic() > end:
                return done
            time.sleep(0.2)

    def list_near(self):
        argv = self.ssh("alice", "list")
        argv[argv.index("-p") + 1] = str(self.near)
        return super().run("alice", argv=argv)

    def close(self):
        try:
            super().close()
        finally:
            self.relay.close()


@pytest.fixture(scope="module")
def one():
    s = ForwardedSite()
    s.add_line("gw", echo=True)
    s.add_line("sw")
    s.add_user("alice")
    s.add_user("bob", role="viewer")
    s.start()
    yield s
    s.close()


@pytest.fixture
def site(request, one):
    request.node.sites = [one]
    # A test may have had to wait for the relay to notice.
    one.await_up("cloud")
    yield one
    for c in one.clients:
        c.stop()
    one.clients = []
    wait_for(lambda: b"alice" not in one.ctl("who").stdout, text="leaving")


@pytest.fixture
def busy(site):
    log = site.log_path.stat().st_size
    site.log_path, whole = site.dir / "log", site.log_path
    t = Typist(site, log)
    site.typist, site.channels, site.log_path = t, CHANNELS, whole
    yield site
    assert t.felt() < 0.5 * max(1, PATIENCE / 10)
    site.none_restarted()


class Typist(direct.Typist):
    def __init__(self, site, since):
        threading.Thread.__init__(self, daemon=True)
        self.client = site.client(site.ssh("alice", "-s", "console:gw"))
        site.expect_log("alice logged in", start=since)
        self.client.send(b"0")
        self.client.expect(b"0")
        self.times = []
        self.ended = False
        self.start()


@pytest.fixture
def flooded(site):
    site.good = site.client(site.ssh("alice", "-s", "console:gw"))
    site.good.send(b"0")
    site.good.expect(b"0")
    return site


@pytest.fixture
def empty_site(request):
    s = ForwardedSite()
    request.node.sites = [s]
    yield s
    s.close()


def test_all_of_them_are_here():
    those = {name for name in dir(direct) if name.startswith("test_")}
    here = set(globals())
    assert those - OTHERWISE <= here


def test_every_stage_ends_with_the_grace_time(empty_site):
    s = empty_site
    s.add_line("gw")
    s.add_user("alice")
    s.ssh_conf = "\tlogin_grace = \"1s\"\n"
    s.start()
    held = [(what, s.connect()) for what in SAID]
    begun = time.monotonic()
    for what, c in held:
        c.sendall(SAID[what])
    for what, c in held:
        assert read_all(c, 8) is not None, what
        c.close()
    assert time.monotonic() - begun < 4
    assert s.run("alice", "list").returncode == 0


def let_in_again(site):
    """A client at the box at once, one at the relay within the grace time."""
    begun = time.monotonic()
    assert site.list_near().returncode == 0
    assert time.monotonic() - begun < PATIENCE / 2
    assert site.run("alice", "list").returncode == 0


def test_half_open_storm(busy):
    """Three hundred connections that say nothing."""
    before = busy.rss("ssh")
    held = idle_connections(busy, 300)
    let_in_again(busy)
    assert busy.rss("ssh") - before < 4000
    for s in held:
        s.close()


def test_half_open_storm_goes_on(busy):
    """New ones all the time."""
    with storm(busy, 100, 0.2):
        let_in_again(busy)
