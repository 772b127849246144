"""docs/faults.md: every row has all that it needs, the tests that it names are
there, and so are its names; no failure is without a row."""
import ast
import re

import pytest
from conftest import ROOT

PAGE = (ROOT / "docs/faults.md").read_text()
# What has to be there, whatever else is.
WANTED = [
    "wrong APN", "no credit", "portal", "PIN", "PUK", "store full",
    "modem hangs", "stick re-enumerates", "pppd hangs", "relay down",
    "relay frozen", "stale port", "relay key changed", "DNS lies",
    "clock at 1970", "disk full", "console process killed",
    "ssh process killed", "modem process killed", "notify process killed",
    "supervisor killed", "box rebooted mid-session", "uplink flapping"]


def rows():
    found = []
    for line in PAGE.splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] != "fault" and \
                not line.startswith("|---"):
            found.append(cells)
    return found


def functions_of(path):
    if path.suffix == ".c":
        return set(re.findall(r"^(test_\w+)\(", path.read_text(), re.M))
    tree = ast.parse(path.read_text())
    return {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)
            and n.name.startswith("test_")}


def manual(name, section, upto):
    text = (ROOT / "docs" / name).read_text()
    return text.split(section, 1)[1].split(upto, 1)[0]


@pytest.mark.parametrize("row", rows(), ids=lambda r: r[0][:30])
def test_row(row):
    assert len(row) == 4 and all(row), row
    named = re.findall(r"`([^`]+)::([^`]+)`", row[3])
    assert named and len(named) == row[3].count("`") / 2, row[3]
    for file, function in named:
        path = ROOT / "tests" / ("" if "/" in file else "e2e") / file
        assert path.exists(), file
        assert function in functions_of(path), f"{file}::{function}"


@pytest.mark.parametrize("fault", WANTED)
def test_fault_has_a_row(fault):
    assert [r for r in rows() if fault in r[0]]


def test_names_are_those_of_the_manuals():
    told = " ".join(r[1] for r in rows())
    failures = set(re.findall(r"^\.It (E-[A-Z]+)$", manual(
        "oobctl.1", ".Sh FAILURES OF THE LINK", ".Sh EXIT"), re.M))
    assert len(failures) > 10
    assert set(re.findall(r"`(E-[A-Z]+)`", told)) == failures
    relay = manual("oobctl.1", "empty, or name, connect", ".Pc")
    relay = {"name", "connect", *re.findall(r"[a-z-]+", relay)}
    kinds = set(re.findall(r'^\t\{ "([a-z-]+)", ',
                           (ROOT / "server/notices.c").read_text(), re.M))
    assert "modem-lost" in kinds and "host-key" in relay
    known = relay | kinds | {"clock", "keepalive", "prove_timeout",
                             "watch_for"}
    for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", told):
        assert name in known, name


def test_numbers_are_those_of_the_sources():
    """The waits that the page tells, where they are one constant."""
    def constant(path, name):
        text = (ROOT / path).read_text()
        value = re.search(rf"^#define {name}\s+(\(?[\d *]+\)?)", text, re.M)
        return eval(value[1])

    assert constant("server/modem_link.c", "RETRY_MIN_MS") == 15000
    assert constant("server/modem_link.c", "RETRY_MAX_MS") == 300000
    assert constant("server/relay.c", "BACKOFF_MIN_MS") == 2000
    assert constant("server/relay.c", "BACKOFF_MAX_MS") == 300000
    assert constant("server/relay_failure.c", "REFUSED_MS") == 15000
    assert constant("modem/device_sim.c", "LOOK_MS") == 30000
    assert constant("modem/inbox.c", "IDLE_MS") == 60000
    assert constant("server/pppjob.c", "TERM_MS") == 3000
    assert constant("server/children.c", "BACKOFF_MIN_MS") == 200
    for words in ("15 s, 30 s, ... 5 min apart", "within 60 s",
                  "after 2 s at most", "every 5\nmin", "every 15 s",
                  "within 30 s", "killed after 3 s", "0.2 s"):
        assert words in PAGE, words
