"""Folders that are held open: another in their place, none to be held."""
import os
import pwd
import re
import shutil
import subprocess
import sys

import pytest

import conftest
from conftest import BUILD, PATIENCE, SANITIZED, wait_for
from frames import Frames


def log_has(site, text, console="gw"):
    return text in site.run("alice", "log", console, "--raw").stdout


@pytest.fixture
def mounted(site):
    """Mounts an empty disk there, until the end."""
    over = []

    def mount(folder):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m",
                               "oobd-test", str(folder)], capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"may not mount: {done.stderr.decode()}")
        over.append(folder)
    yield mount
    site.stop()
    for folder in over:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("how", ["moved", "removed", "mounted"])
def test_another_log_dir(site, mounted, how):
    """Nobody sees it happen; a reload has the record go on in what is there,
    and the line and who is attached are none the worse for it."""
    line = site.lines["gw"]
    journal, away = site.dir / "journal", site.dir / "away"
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    line.send(b"before\r\n")
    wait_for(lambda: log_has(site, b"before"))
    pids = site.children()
    if how == "moved":
        journal.rename(away)
        journal.mkdir()
    elif how == "mounted":
        mounted(journal)
    else:
        shutil.rmtree(journal)
    line.send(b"between\r\n")
    alice.expect(b"between")
    site.reload()
    assert f"{journal} is another folder than before" in site.log()
    wait_for(lambda: site.children().get("console", pids["console"])
             != pids["console"], text="another console process")
    line.send(b"after\r\n")
    wait_for(lambda: log_has(site, b"after"), 3 * PATIENCE)
    assert (journal / "gw" / "current").exists()
    alice.expect(b"after")
    alice.send(b"typed")
    line.typed.expect(b"typed")
    # only who holds it began anew
    for role in ("ssh", "modem"):
        assert site.children()[role] == pids[role]
    # what came in between stands in one of both, or in both
    assert b"between" in b"".join(
        p.read_bytes() for d in (away, journal) for p in d.glob("gw/*.log"))
    # and the next reload finds nothing new
    now = site.children()["console"]
    site.reload()
    assert site.log().count("another folder than before") == 1
    assert site.children()["console"] == now
    assert site.run("alice", "status").returncode == 0


@pytest.mark.skipif(SANITIZED, reason="runs without a sandbox")
@pytest.mark.parametrize("what", ["journal", "state/witness"])
def test_one_is_removed(site, what):
    """Nobody has to say so: the record goes on in a new one by itself."""
    line = site.lines["gw"]
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    line.send(b"before\r\n")
    wait_for(lambda: log_has(site, b"before"))
    pids = site.children()
    shutil.rmtree(site.dir / what)
    wait_for(lambda: site.children().get("console", pids["console"])
             != pids["console"], 3 * PATIENCE, text="another console process")
    wait_for((site.dir / what).is_dir)
    line.send(b"after\r\n")
    wait_for(lambda: log_has(site, b"after"), 3 * PATIENCE)
    alice.expect(b"after")
    alice.send(b"typed")
    line.typed.expect(b"typed")
    for role in ("ssh", "modem"):
        assert site.children()[role] == pids[role]


def test_another_state_dir(site):
    """What is kept there is kept in the new one."""
    state = site.dir / "state"
    pids = site.children()
    key = (state / "ssh_host_ed25519_key").read_bytes()
    state.rename(site.dir / "away")
    state.mkdir(mode=0o700)
    (state / "ssh_host_ed25519_key").write_bytes(key)
    (state / "ssh_host_ed25519_key").chmod(0o600)
    site.reload()
    wait_for(lambda: all(site.children().get(r, pids[r]) != pids[r]
                         for r in ("console", "modem")))
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    site.clients.remove(alice)
    alice.stop()
    wait_for((state / "witness" / "bookmarks").exists, 3 * PATIENCE)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")
@pytest.mark.skipif(SANITIZED, reason="runs without a sandbox")
def test_a_folder_that_cannot_be_held(empty_site, monkeypatch):
    """One that its user may write to but not list: then paths stay open, that
    is said, and the record is written as ever."""
    site = empty_site
    nobody = pwd.getpwnam("nobody")
    site.top = 'service_user = "nobody"\n'
    line = site.add_line("gw")
    site.add_user("alice")
    programs = site.dir / "bin"
    programs.mkdir()
    for name in ("oobd", "oobctl"):
        shutil.copy(BUILD / name, programs / name)
    for folder in (site.dir, programs):
        folder.chmod(0o755)
    monkeypatch.setattr(conftest, "BUILD", programs)
    journal = site.dir / "journal"
    journal.mkdir()
    os.chown(journal, nobody.pw_uid, nobody.pw_gid)
    journal.chmod(0o300)
    site.start()
    site.expect_log(rf"^oobd\[console\]: paths can still be opened: "
                    rf"{journal}: Permission denied$")
    line.send(b"all the same\r\n")
    wait_for(lambda: log_has(site, b"all the same"), 3 * PATIENCE)
    assert site.children()["console"] == site.pids["console"]


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp")
@pytest.mark.skipif(SANITIZED, reason="runs without a sandbox")
def test_a_seal_that_is_too_tight(empty_site, monkeypatch):
    """On a kernel that would not let it work: it notices before it is ready,
    so the record is written after all."""
    site = empty_site
    line = site.add_line("gw")
    site.add_user("alice")
    monkeypatch.setenv("LD_PRELOAD", str(BUILD / "tests" / "tight.so"))
    monkeypatch.setattr(conftest, "PATIENCE", 6 * PATIENCE)
    site.start()
    log = site.log()
    assert len(re.findall(r"^oobd\[console\]: sealed, and cannot work in "
                          rf"{site.dir}/journal any more: Operation not "
                          r"permitted$", log, re.M)) == 5
    assert "so from here on it runs WITHOUT its sandbox" in log
    line.send(b"on record\r\n")
    current = site.dir / "journal" / "gw" / "current"
    wait_for(lambda: current.exists() and b"on record" in
             current.read_bytes())
    assert not list(site.dir.glob("journal/.sealed*"))


def noted(site, user, text):
    return f"note user={user} text={text}\n".encode() in site.ctl(
        "log", "gw", "--events").stdout


def test_who_comes_to_the_control_socket(site):
    """Many at once, each by the name that the supervisor looks up."""
    me = pwd.getpwuid(os.getuid()).pw_name
    many = [subprocess.Popen([str(BUILD / "oobctl"), "-s", str(site.control),
                              "note", "gw", f"number {i}"])
            for i in range(40)]
    assert [p.wait(3 * PATIENCE) for p in many] == [0] * 40
    for i in range(40):
        assert noted(site, me, f"number {i}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")
@pytest.mark.parametrize("uid, name", [
    (pwd.getpwnam("nobody").pw_uid, "nobody"), (64999, "uid64999")])
def test_another_user(site, uid, name):
    """What comes from somebody whose name is known, or is not."""
    site.dir.chmod(0o755)
    site.control.chmod(0o666)
    os.seteuid(uid)
    try:
        theirs = Frames(site)
    finally:
        os.seteuid(0)
    theirs.command(1, "note", "gw", "here I am")
    status, said = theirs.ends(1)[1]
    theirs.close()
    assert status == 0, said
    assert noted(site, name, "here I am")
