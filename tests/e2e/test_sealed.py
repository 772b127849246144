"""Sealed processes do all of their work below folders that they hold open.

strace(1) sees a whole site at work: what a role asked for once it was sealed
begins at a descriptor, is not absolute and leads nowhere up.  A kernel in
capability mode, where there is no other way, would have let it do the same.
"""
import os
import re
import shutil
import signal
import sys
import time

import pytest
import sealed
from conftest import BUILD, PATIENCE, SANITIZED, Site, wait_for

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="seccomp, strace"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer needs /proc"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace"),
    pytest.mark.long,
]

TOP = """sync = 100ms
journal {
    rotate_size = 64kb
    keep_size = 200kb
    seal = 1s
}
"""
SINCE = ("--since", "-1h")


def segments(site, console="gw"):
    return sorted(p.name for p in (site.dir / "journal" / console).glob(
        "[0-9]*Z.log*"))


def ok(site, *words):
    done = site.run("alice", *words)
    assert done.returncode == 0, (words, done)
    return done.stdout


def has_event(site, text, console=".box"):
    return text in site.run("alice", "log", console, "--events").stdout


def record(site):
    """Until the oldest segments were packed and removed."""
    line = site.lines["gw"]
    first = segments(site)[0]

    def thinned():
        for i in range(50):
            line.send(b"%06d some text of a line of the device, "
                      b"with time on it\r\n" % i)
        for name in segments(site)[:-1]:        # quiet for long enough
            path = site.dir / "journal" / "gw" / name
            if path.suffix == ".log" and path.exists():
                os.utime(path, (time.time() - 600,) * 2)
        return segments(site)[0][:8] > first[:8] and any(
            n.endswith(".zst") for n in segments(site))
    wait_for(thinned, 12 * PATIENCE, text="packed and removed segments")


def look(site):
    """Everything that reads the record."""
    assert b"some text" in ok(site, "log", "gw", "--tail", "5")
    assert b"some text" in ok(site, "grep", "device", "gw")
    assert b"alice" in ok(site, "last")
    assert b"nothing is wrong" in ok(site, "verify", "gw")
    for verb in (("verify", "gw"), ("last",), ("grep", "device", "gw")):
        assert b"{" in ok(site, *verb, "--json")
    for kind in ("html", "cast2", "text"):
        assert b"some text" in ok(site, "export", "gw", *SINCE, "--format",
                                  kind)
    assert b"panic: " in ok(site, "export", "gw", "--crash", "1")
    shown = site.attach("alice", "replay", "gw")
    shown.expect(b"h: help", 3 * PATIENCE)
    shown.send(b"q")
    shown.wait(3 * PATIENCE)


def crash(site):
    site.lines["gw"].send(b"panic: of the device\r\n")
    folder = site.dir / "journal" / "gw" / "crash"
    wait_for(lambda: list(folder.glob("*.crash")), 3 * PATIENCE,
             text="the crash bundle")


def reload(site):
    """One more line; and folders that change with the next start only."""
    site.add_line("sw")
    other = site.dir / "other"
    text = site.conf_text()
    site.conf_text = lambda: text.replace(f'"{site.dir}/journal"',
                                          f'"{other}"')
    site.reload()
    del site.conf_text
    assert "log_dir changes with the next start" in site.log()
    site.lines["sw"].send(b"new here\r\n")
    wait_for(lambda: b"new here" in site.run("alice", "log", "sw").stdout,
             3 * PATIENCE, text="the new line's record")
    assert not other.exists()


def kill_console(site):
    """Its successor finds half a record, and what the line said meanwhile."""
    pid = site.children()["console"]
    os.kill(pid, signal.SIGKILL)
    current = site.dir / "journal" / "sw" / "current"
    with open(current, "ab") as f:
        f.write(b"half a rec")
    site.lines["sw"].send(b"meanwhile\r\n")
    wait_for(lambda: site.children().get("console", pid) != pid,
             3 * PATIENCE, text="another console process")
    wait_for(lambda: b"meanwhile" in site.run("alice", "log", "sw").stdout,
             3 * PATIENCE, text="what it said")
    assert list((site.dir / "journal" / "sw").glob("*.torn"))


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """The trace of a site that did all there is to do, and was stopped."""
    trace = tmp_path_factory.mktemp("sealed") / "trace"
    site = Site()
    site.under = sealed.argv(trace)
    os.environ["OOBD_SHARE"] = str(BUILD / "share")
    try:
        site.top = TOP
        site.add_line("gw")
        site.line_conf["gw"] += '\tcrash_quiet = "1s"\n'
        site.add_user("alice", role="admin")
        site.add_user("eve", role="viewer", consoles=("gw",))
        site.start()
        pid = site.children()["console"]
        crash(site)
        record(site)
        wait_for(lambda: has_event(site, b" signed seal="), 6 * PATIENCE,
                 text="a signature")
        look(site)
        for more in ((), ("--json",)):
            assert b"gw" in site.ctl("status", *more).stdout
        ok(site, "grant", "eve", "gw", "30min", "operator")
        reload(site)
        assert site.children()["console"] == pid
        kill_console(site)
        assert b"nothing is wrong" in ok(site, "verify", "sw")
        assert site.stop(60) == 0
        yield sealed.processes(trace), site.log()
    finally:
        site.close()
        del os.environ["OOBD_SHARE"]


@pytest.mark.parametrize("role, least", [("reader", 10), ("signer", 1), ("console", 2)])
def test_below_what_is_held(traced, role, least):
    found = [p for p in traced[0] if p.role == role]
    assert len(found) >= least
    wrong = [c for p in found for c in p.after if sealed.breach(c)]
    assert wrong == [], wrong[:20]
    # It did work there, and what leads elsewhere would have been seen.
    assert all(any(map(sealed.breach, p.before)) for p in found)
    assert sum(sealed.below(c) for p in found for c in p.after) > least


def test_nothing_was_said_of_it(traced):
    log = traced[1]
    for word in ("paths can still be opened", "not as confined",
                 "killed by its sandbox", "Permission denied",
                 "NOT RECORDED"):
        assert word not in log


def test_who_is_not_sealed_is_seen():
    """What the trace is asked, of calls as strace writes them."""
    for bad in ('openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3',
                'openat(5, "/etc/passwd", O_RDONLY) = 3',
                'openat(5, "a/../../b", O_RDONLY <unfinished ...>',
                'open("a", O_RDONLY) = 3',
                'renameat(5, "a", AT_FDCWD, "b") = 0',
                'symlinkat("a", AT_FDCWD, "b") = 0',
                'renameat2(5, "a", 5, "../b", 0) = 0',
                'statfs("/", {}) = 0',
                'statx(AT_FDCWD, "", AT_STATX_SYNC_AS_STAT) = 0',
                'mkdir("a", 0700) = -1 EACCES (Permission denied)'):
        assert sealed.breach(bad), bad
    for good in ('openat(5, "a/b..c", O_RDONLY) = 3',
                 'newfstatat(5, "", {}, AT_EMPTY_PATH) = 0',
                 'symlinkat("/a", 5, "b") = 0',
                 'unlinkat(5, "a", 0) = -1 ENOENT (No such file)'):
        assert not sealed.breach(good), good
    assert re.match(sealed.MADE, "<... clone resumed>, tls=0x1) = 12")
