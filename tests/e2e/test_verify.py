"""Whether the record is as it was written: verify, and the same by hand."""
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest
from conftest import BUILD, PATIENCE, wait_for

DOC = BUILD.parent / "docs" / "journal.md"

TOP = """sync = 300ms
sync_typing = 300ms
journal {
    rotate_size = 64kb
    seal = 1s
}
"""


def segments(site, journal="journal", console="gw"):
    found = (site.dir / journal / console).glob("[0-9]*Z.log*")
    return sorted(p for p in found if p.suffix in (".log", ".zst"))


def text_of(path):
    if path.suffix == ".zst":
        return subprocess.check_output(["zstdcat", path])
    return path.read_bytes()


def age(site):
    """Closed segments are old enough to be packed when the next is closed."""
    for path in segments(site)[:-1]:
        if path.suffix == ".log":
            then = time.time() - 600
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (then, then))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A site that recorded four segments and was stopped in order; tests
    work on copies of its journals."""
    from conftest import Site
    site = Site()
    site.top = TOP
    site.add_line("gw")
    site.add_line("sw")
    site.start()
    sent = itertools.count()

    def some_packed():
        for i in itertools.islice(sent, 100):
            site.lines["gw"].send(b"%06d some text of a line of the device, "
                                  b"with time on it\r\n" % i)
        age(site)
        return sum(p.suffix == ".zst" for p in segments(site)) >= 3
    wait_for(some_packed, 3 * PATIENCE)
    wait_for(lambda: any(b" signed seal=" in text_of(p) for p in
                         segments(site, console=".box")))
    shutil.copytree(site.dir / "journal", site.dir / "early", symlinks=True)
    for i in range(100):
        site.lines["gw"].send(b"%06d some more of the device\r\n" % i)
    site.lines["gw"].send(b"the last line\r\n")
    wait_for(lambda: b"the last line" in site.ctl("log", "gw", "--tail",
                                                  "1").stdout)
    time.sleep(1.5)
    site.online = site.ctl("verify", "gw")
    site.status = json.loads(site.ctl("status", "--json").stdout)
    assert site.stop() == 0
    yield site
    site.close()


@pytest.fixture
def journals(recorded):
    """A copy to spoil."""
    copy = recorded.dir / "copy"
    shutil.copytree(recorded.dir / "journal", copy, symlinks=True)
    yield copy
    shutil.rmtree(copy)


def verify(journals, *args, console="gw"):
    done = subprocess.run(
        [str(BUILD / "oobctl"), "-D", str(journals), "verify", console,
         "--json", *args], capture_output=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    result = json.loads(done.stdout)
    assert (done.returncode == 0) == result["ok"]
    return result


def kinds(result):
    return [(f["console"], f["kind"]) for f in result["findings"]]


def plain(journals):
    return next(p for p in sorted((journals / "gw").glob("[0-9]*Z.log")))


def unpacked(journals):
    """The second segment, which is full of the device's lines, as plain."""
    packed = journals / "gw" / segments_in(journals)[1]
    path = packed.with_suffix("")
    path.write_bytes(text_of(packed))
    packed.unlink()
    return path


def edit(path, change):
    lines = path.read_bytes().split(b"\n")
    change(lines)
    path.write_bytes(b"\n".join(lines))


def test_nothing_is_wrong(recorded, journals):
    assert recorded.online.returncode == 0, recorded.online
    assert b"gw: nothing is wrong\n" in recorded.online.stdout
    for console in ("gw", "sw"):
        result = verify(journals, console=console)
        assert result["ok"] and result["signed"]["state"] == "yes"
        assert result["unsealed"] == 0
    assert verify(journals)["segments"] >= 4


def test_each_is_told_apart(journals):
    path = unpacked(journals)
    whole = path.read_bytes()

    def spoil(change):
        edit(path, change)
        result = verify(journals)
        path.write_bytes(whole)
        return result["findings"]

    def swap(lines):
        lines[3], lines[4] = lines[4], lines[3]

    def change(lines):
        lines[3] = lines[3].replace(b"some", b"same")

    found = {name: spoil(how) for name, how in {
        "edited": change, "removed": lambda x: x.pop(3),
        "doubled": lambda x: x.insert(3, x[3]), "swapped": swap}.items()}
    for name, findings in found.items():
        assert [f["kind"] for f in findings] == [name], findings
        assert findings[0]["line"] in (4, 5) and findings[0]["seal"] > 0
        assert findings[0]["segment"] == path.name


def test_segment_removed(journals):
    (journals / "gw" / segments_in(journals)[1]).unlink()
    result = verify(journals)
    assert kinds(result) == [("gw", "segment-removed")]
    assert result["findings"][0]["seq"] == 2


def segments_in(journals):
    return sorted(p.name for p in (journals / "gw").glob("[0-9]*Z.log*"))


def test_oldest_segment_removed(journals):
    (journals / "gw" / segments_in(journals)[0]).unlink()
    assert kinds(verify(journals)) == [("gw", "segment-removed")]


def test_newest_segment_removed(journals):
    plain(journals).unlink()
    assert kinds(verify(journals)) == [("gw", "segment-removed")]


def test_tail_cut(journals):
    path = plain(journals)
    lines = path.read_bytes().split(b"\n")
    for keep in (len(lines) - 3, len(lines) // 2, 2):
        path.write_bytes(b"\n".join(lines[:keep]) + b"\n")
        assert kinds(verify(journals)) == [("gw", "cut")], keep


def test_older_copy(recorded, journals):
    """Of one console, of everything."""
    early = recorded.dir / "early"
    note = (recorded.dir / "state" / "journal.seal").read_text()
    seal = "%s:%s" % (re.search(r"seal=(\d+)", note)[1],
                      re.search(r"hash=(\w{16})", note)[1])
    assert verify(journals, "--seal", seal)["ok"]
    status = recorded.status["seal"]
    assert verify(journals, "--seal", status)["ok"]
    result = verify(early, "--seal", seal)
    assert kinds(result) == [("box", "older-copy")]
    result = verify(journals, "--seal", seal.split(":")[0] + ":" + "0" * 16)
    assert kinds(result) == [("box", "older-copy")]
    # an older copy of one journal ends in the midst of a segment
    for name in segments_in(journals)[2:]:
        (journals / "gw" / name).unlink()
    older = text_of(next((recorded.dir / "journal" / "gw").glob("00000002-*")))
    path = next((journals / "gw").glob("00000002-*"))
    path.unlink()
    (journals / "gw" / path.name.removesuffix(".zst")).write_bytes(
        older[:len(older) // 2].rsplit(b"\n", 1)[0] + b"\n")
    assert kinds(verify(journals)) == [("gw", "older-copy")]


def test_older_copy_written_on(recorded):
    """Put back while the daemon is down, and written on: the box knows
    another seal of that number, and so does state_dir."""
    from conftest import Site
    site = Site()
    try:
        site.top = TOP
        site.add_line("gw")
        site.start()
        site.lines["gw"].send(b"one\r\n")
        wait_for(lambda: b"one" in site.ctl("log", "gw", "--raw").stdout)
        assert site.stop() == 0
        shutil.copytree(site.dir / "journal" / "gw", site.dir / "old",
                        symlinks=True)
        site.start()
        site.lines["gw"].send(b"two\r\n")
        time.sleep(1.5)
        assert site.stop() == 0
        shutil.rmtree(site.dir / "journal" / "gw")
        shutil.copytree(site.dir / "old", site.dir / "journal" / "gw",
                        symlinks=True)
        site.start()
        site.lines["gw"].send(b"three\r\n")
        time.sleep(1.5)
        done = site.ctl("verify", "gw", "--json")
        assert done.returncode == 1
        assert kinds(json.loads(done.stdout)) == [("gw", "older-copy")]
    finally:
        site.close()


def test_journal_gone(journals):
    shutil.rmtree(journals / "gw")
    assert kinds(verify(journals)) == [("gw", "removed")]


def test_wrong_key(journals, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    str(tmp_path / "other")], check=True)
    result = verify(journals, "--key", str(tmp_path / "other.pub"))
    assert set(kinds(result)) == {("box", "seal")}
    assert all("wrong key" in f["text"] for f in result["findings"])
    result = verify(journals, "--key", str(journals / ".box" /
                                           "allowed_signers"))
    assert result["ok"]


def test_packed_segment_damaged(journals):
    path = journals / "gw" / segments_in(journals)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 16
    path.write_bytes(data)
    found = kinds(verify(journals))
    assert ("gw", "damaged") in found


def test_not_sealed_yet_is_no_error(empty_site):
    site = empty_site
    site.add_line("gw")
    site.start()
    site.lines["gw"].send(b"one\r\n")
    wait_for(lambda: b"one" in site.ctl("log", "gw", "--raw").stdout)
    done = site.ctl("verify", "gw")
    assert done.returncode == 0
    assert re.search(rb"gw: the newest \d+ records are not sealed yet",
                     done.stdout)


def test_signed_once_it_can_be(empty_site):
    """A seal that could not be signed is, as soon as the key is right."""
    site = empty_site
    site.top = TOP
    site.add_line("gw")
    key = site.dir / "state" / "journal_key"
    key.parent.mkdir(mode=0o700, exist_ok=True)
    key.write_text("no key\n")
    key.chmod(0o600)
    site.start()
    wait_for(lambda: "could not be signed, again in 5 s" in site.log())
    assert not any(b" signed seal=" in text_of(p)
                   for p in segments(site, console=".box"))
    key.unlink()
    wait_for(lambda: any(b" signed seal=" in text_of(p) for p in
                         segments(site, console=".box")), 10 + PATIENCE)
    # It was not due otherwise: no segment of a console was closed.
    assert len(segments(site)) == 1


def test_anchor_goes_out_with_notices(empty_site):
    """What a program was told is enough to vouch for the record."""
    site = empty_site
    told = site.dir / "told"
    script = site.dir / "told.sh"
    script.write_text(f"#!/bin/sh\ncat >>{told}\n")
    script.chmod(0o700)
    site.top = TOP + f'notify "run" {{ type = "exec" command = "{script}" }}\n'
    site.add_line("gw", conf='\talert "hello" { match = "hello" }\n')
    site.start()
    wait_for(lambda: "seal" in json.loads(
        site.ctl("status", "--json").stdout))
    site.lines["gw"].send(b"hello\r\n")

    def seal():
        text = told.read_text() if told.exists() else ""
        return re.search(r"hello \[seal (\d+:[0-9a-f]{16})\]", text)
    found = wait_for(seal)[1]
    assert site.ctl("verify", "gw", "--seal", found).returncode == 0
    wrong = found[:-1] + ("0" if found[-1] != "0" else "1")
    assert site.ctl("verify", "gw", "--seal", wrong).returncode == 1


def test_removed_by_oobd(empty_site):
    """Old segments that the daemon removed are vouched for."""
    site = empty_site
    site.top = TOP.replace("seal", "keep_size = 200kb\n    seal")
    site.add_line("gw")
    site.start()
    for i in range(5000):
        site.lines["gw"].send(b"%06d %032x\r\n" % (i, i * 2654435761 ** 4 %
                                                   2 ** 128))
        if i % 100 == 0:
            time.sleep(0.05)
    wait_for(lambda: b" m 0 removed console=gw seq=1 " in b"".join(
        text_of(p) for p in segments(site, console=".box")))
    wait_for(lambda: not segments(site)[0].name.startswith("00000001"))
    done = site.ctl("verify", "gw")
    assert done.returncode == 0, done.stdout
    assert b"removed seq" not in done.stdout
    assert b"removed console=gw seq=" in \
        site.ctl("log", "gw", "--events").stdout
    site.stop()
    # and one more that it did not remove
    segments(site)[0].unlink()
    result = verify(site.dir / "journal")
    assert kinds(result) == [("gw", "segment-removed")]


def recipe():
    return re.search(r"```sh\n(.*?)```", DOC.read_text(), re.S)[1]


def test_by_hand(recorded, journals, tmp_path):
    """What docs/journal.md tells to type: b2sum, ssh-keygen, a little awk."""
    script = tmp_path / "check.sh"
    script.write_text(recipe())

    def run(console):
        return subprocess.run(["sh", str(script), str(journals), console],
                              capture_output=True, timeout=60, cwd=tmp_path)
    for console in ("gw", "sw", ".box"):
        done = run(console)
        assert done.returncode == 0, done.stderr
        assert b"all seals are right" in done.stdout
    assert b"Good \"journal@oobd\" signature for site" in run(".box").stdout
    path = unpacked(journals)
    path.write_bytes(path.read_bytes().replace(b" the device", b" da device"))
    done = run("gw")
    assert done.returncode == 1
    assert re.search(rb"seal \d+ is wrong", done.stdout)


def test_killed_before_the_next_seal(empty_site):
    """A process that takes over says the newest seal once more: that is no
    older copy."""
    site = empty_site
    line = site.add_line("gw")
    site.top = 'sync = "100ms"\njournal {\n\trotate_size = 64kb\n}\n'
    site.start()

    def sealed():
        text = b"".join(map(text_of, segments(site, console=".box")))
        return re.findall(rb"sealed console=gw seq=\d+ (seal=\d+ hash=\w+)",
                          text)
    line.send(b"a line that is in the first segment\r\n" * 2000)
    wait_for(sealed, text="the seal of a segment")
    old = site.children()["console"]
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: site.children().get("console", old) != old)
    line.send(b"a line that is in none that has a seal\r\n")
    wait_for(lambda: len(sealed()) > 1, text="the seal once more")
    assert len(set(sealed())) == 1, sealed()
    done = site.ctl("verify", "gw")
    assert done.returncode == 0, done.stdout
