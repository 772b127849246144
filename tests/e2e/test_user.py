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
