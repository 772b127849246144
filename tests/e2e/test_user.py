"""Started as root, the children are not: they belong to the service user."""
import os
import pwd
import shutil

import pytest

import conftest
from conftest import BUILD, wait_for


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")
def test_children_belong_to_the_service_user(empty_site, monkeypatch):
    site = empty_site
    nobody = pwd.getpwnam("nobody")
    site.top = 'service_user = "nobody"\n'
    line = site.add_line("gw", echo=True)
    site.add_user("alice")
    # that user must reach the programs, wherever this checkout lies
    programs = site.dir / "bin"
    programs.mkdir()
    for name in ("oobd", "oobctl"):
        shutil.copy(BUILD / name, programs / name)
    for folder in (site.dir, programs):
        folder.chmod(0o755)
    monkeypatch.setattr(conftest, "BUILD", programs)
    site.start()
    for role, pid in site.children().items():
        status = open(f"/proc/{pid}/status").read()
        uids = status.split("Uid:")[1].split("\n")[0].split()
        gids = status.split("Gid:")[1].split("\n")[0].split()
        assert set(uids) == {str(nobody.pw_uid)}, (role, uids)
        assert set(gids) == {str(nobody.pw_gid)}, (role, gids)
    alice = site.attach("alice")
    alice.expect(b"you have the pen")
    alice.send(b"hello")
    line.typed.expect(b"hello")
    assert site.run("alice", "log", "gw", "--raw").stdout == b"hello"
    key = site.dir / "state" / "ssh_host_ed25519_key"
    assert key.stat().st_uid == nobody.pw_uid
    assert key.stat().st_mode & 0o777 == 0o600
    assert (site.dir / "journal" / "gw").stat().st_uid == nobody.pw_uid
    assert site.control.stat().st_mode & 0o777 == 0o660
    # and all of it survives a crash and a reload as that user
    old = site.children()["console"]
    os.kill(old, 9)
    wait_for(lambda: site.children().get("console", old) != old)
    site.add_line("new")
    site.reload()
    wait_for(lambda: b"new" in site.run("alice", "list").stdout)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")
def test_an_ordinary_user_runs_it(empty_site, monkeypatch):
    """With all that is his; what he cannot do is said at the start, or where
    it is missing."""
    site = empty_site
    games = pwd.getpwnam("games")
    lines = {name: site.add_line(name, echo=True) for name in ("gw", "sw")}
    site.add_user("alice")
    programs = site.dir / "bin"
    programs.mkdir()
    for name in ("oobd", "oobctl"):
        shutil.copy(BUILD / name, programs / name)
    monkeypatch.setattr(conftest, "BUILD", programs)
    for name in ("state", "journal"):
        (site.dir / name).mkdir(mode=0o700)
        os.chown(site.dir / name, games.pw_uid, games.pw_gid)
    os.chown(site.dir, games.pw_uid, games.pw_gid)
    site.dir.chmod(0o755)
    os.fchown(lines["gw"].slave, games.pw_uid, -1)
    os.fchmod(lines["sw"].slave, 0o600)
    site.under = ["setpriv", f"--reuid={games.pw_uid}",
                  f"--regid={games.pw_gid}", "--clear-groups"]
    site.start()
    assert ("not root: no PPP, no routes, no change of user; devices must "
            f"be open to user {games.pw_uid}\n") in site.log()
    site.expect_log(r"console sw: /dev/pts/\d+: .*(ermission|denied)")
    for role, pid in [*site.children().items(), ("", site.process.pid)]:
        status = open(f"/proc/{pid}/status").read()
        uids = status.split("Uid:")[1].split("\n")[0].split()
        assert set(uids) == {str(games.pw_uid)}, (role, uids)
    alice = site.attach("alice", login="gw")
    alice.expect(b"you have the pen")
    alice.send(b"hello")
    lines["gw"].typed.expect(b"hello")
    assert site.stop() == 0


@pytest.mark.skipif(os.getuid() != 0, reason="for root")
def test_root_without_a_user_for_it_is_warned(site):
    try:
        pwd.getpwnam("oobd")
        pytest.skip("there is a user oobd")
    except KeyError:
        pass
    assert ("no user oobd: every process stays root (make one, or set "
            "service_user)\n") in site.log()
