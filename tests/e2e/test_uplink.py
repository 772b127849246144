"""The watch of the site's own uplink, in a modem process whose minutes are
short: the test is all that is around it, and PPP's interface is lo."""
import socket
import time

import pytest
from conftest import free_port, wait_for
from test_lines import documented, keys_of
from test_modem_process import Process, bring_up, traffic

FAST = 20               # a minute of watch_for is 3 s, where nobody dials


class Host:
    """Somebody who answers, until it does not."""

    def __init__(self, address="127.0.0.1"):
        self.at = address, free_port()
        self.sock = None

    def answer(self):
        self.sock = socket.create_server(self.at)

    def drop(self):
        """What nobody takes from the queue fills it: then SYNs are lost."""
        self.sock.close()
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(self.at)
        self.sock.listen(0)
        self.fill = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(self.at)
            self.fill.append(s)

    def close(self):
        if self.sock:
            self.sock.close()
        for s in getattr(self, "fill", ()):
            s.close()


def watched(*names):
    hosts = ", ".join(f'"{n}"' for n in names)
    return (f'activation {{\n\twatch = {{{hosts}}}\n\twatch_for = "1min"\n'
            f'\thold = "5min"\n}}\n')


@pytest.fixture
def make(tmp_path):
    made = []

    def new(*names, **kw):
        made.append(Process(tmp_path, extra=watched(*names), fast=1, **kw))
        return made[-1]
    yield new
    for p in made:
        assert p.stop() == 0


@pytest.fixture
def host():
    h = Host()
    h.answer()
    yield h
    h.close()


def uplink(p):
    return p.link()["uplink"]


def until(p, state, seconds=20):
    wait_for(lambda: uplink(p)["state"] == state, seconds, 0.1,
             f"the uplink {state}: {uplink(p)}")
    return uplink(p)


@pytest.mark.slow
def test_dead_uplink_brings_the_link_up(make, host):
    name = f"127.0.0.1:{host.at[1]}"
    p = make("no-such-name.invalid:443", name)
    p.ready()
    seen = until(p, "alive")
    assert seen["by"] == name and seen["dead_since"] is None
    assert seen["watched"] == ["no-such-name.invalid:443", name]
    assert seen["answered"].startswith("20") and not seen["no_word"]
    assert f"uplink: alive, last answer 20" in p.run("link", "status")[1]
    # Nobody takes a SYN: not refused, which would be an answer.
    host.drop()
    gone = time.monotonic()
    p.run_fast(FAST)
    until(p, "silent")
    assert p.link()["state"] == "idle" and not p.events("uplink-dead")
    p.until(lambda s: s["state"] in ("dialling", "negotiating"), 20)
    p.run_fast(1)
    assert time.monotonic() - gone > 60 / FAST * 0.7
    said, = p.events("uplink-dead")
    assert name in said and "the link is brought up" in said
    seen = bring_up(p)
    assert seen["who"] == "watch" and seen["way"] == "ppp"
    assert seen["uplink"]["state"] == "dead"
    assert 'who="watch"' in p.events("link-up")[0]
    assert seen["uplink"]["dead_since"] is not None
    assert seen["uplink"]["by"] == name
    assert keys_of(seen["uplink"]) <= documented("link status")[0]
    told = (p.folder / "state" / "modem" / "uplink").read_text()
    # lo is PPP's interface now: what is asked there tells nothing.
    host.close()
    host.answer()
    p.run_fast(FAST)
    wait_for(lambda: uplink(p)["no_word"], 10, 0.1, "questions over PPP")
    assert uplink(p)["state"] == "dead" and not p.events("uplink-back")
    # A new process knows that this one was told.
    p.process.kill()
    p.process.wait()
    host.drop()
    p.start()
    assert uplink(p)["state"] == "dead"
    assert (p.folder / "state" / "modem" / "uplink").read_text() == told
    assert p.run("link", "down")[0] == 0
    p.until(lambda s: s["state"] == "idle", 20)
    time.sleep(60 / FAST * 1.3)
    assert not p.events("uplink-dead")
    # Back: told once; and nothing follows from that.
    host.close()
    host.answer()
    until(p, "alive")
    said, = p.events("uplink-back")
    assert f"{name} answers again" in said
    assert p.link()["state"] == "idle"
    assert not (p.folder / "state" / "modem" / "uplink").exists()


@pytest.mark.slow
def test_refused_is_an_answer(make):
    nobody = f"127.0.0.1:{free_port()}"
    p = make(nobody)
    assert until(p, "alive")["by"] == nobody
    p.run_fast(FAST)
    time.sleep(60 / FAST * 1.3)
    assert uplink(p)["state"] == "alive"
    assert not p.events("uplink-dead")
    # Another list is another watch; none is none.
    p.conf = p.conf.replace(nobody, "no-such-name.invalid:1")
    p.configure()
    assert uplink(p)["answered"] is None
    p.conf = p.conf.replace('{"no-such-name.invalid:1"}', "{}").replace(
        '\twatch_for = "1min"\n', "")
    p.configure()
    assert uplink(p) is None


@pytest.mark.slow
def test_no_budget_no_link(make, host):
    p = make(f"127.0.0.1:{host.at[1]}", modem='\tday_limit = "1kb"\n')
    p.ready()
    assert p.run("link", "up", "5min", "--force")[0] == 0
    p.dialled()
    p.ppp(2)
    p.until(lambda s: s["state"] == "proving")
    p.relay(3)
    for _ in range(4):
        traffic()
    p.until(lambda s: s["state"] == "up")
    assert p.run("link", "down")[0] == 0
    p.ppp(3)
    p.until(lambda s: s["state"] == "idle")
    host.drop()
    p.run_fast(FAST)
    wait_for(lambda: p.events("uplink-dead"), 20, 0.1, "a dead uplink")
    said, = p.events("uplink-dead")
    assert "NOT brought up: E-QUOTA" in said
    assert p.link()["state"] == "idle"
