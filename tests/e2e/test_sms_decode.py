"""oobctl sms decode, against the vectors."""
import json
import subprocess

import pytest
from conftest import BUILD, ROOT

VECTORS = json.loads((ROOT / "tests/data/pdu_vectors.json").read_text())
# About the vector, not in it.
ABOUT = {"id", "pdu", "direction", "note"}


def run(*args):
    return subprocess.run([str(BUILD / "oobctl"), "sms", *args], text=True,
                          capture_output=True, timeout=20,
                          stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["id"])
def test_vector(vector):
    p = run("decode", vector["pdu"], "--json")
    assert (p.returncode, p.stderr) == (0, "")
    assert p.stdout.count("\n") == 1 and p.stdout.isascii()
    got = json.loads(p.stdout)
    want = {k: v for k, v in vector.items() if k not in ABOUT}
    # Which shift tables it would need is said beside the text.
    if vector["id"] == "v121":
        assert got.pop("national") == {"single": 1, "locking": 1}
    assert got == want


@pytest.mark.parametrize("bad", [
    "", "0", "zz", "00", "0891", "00FFFFFFFFFF", "00 04",
    VECTORS[0]["pdu"][:-2], VECTORS[0]["pdu"][:-1], pytest.param("04" * 500, id="long"),
    # UDHI and no user data.
    "00440C9134661032547600006280423071248000",
])
def test_refused(bad):
    for args in (["decode", bad], ["decode", "--json", bad]):
        p = run(*args)
        assert (p.returncode, p.stdout) == (1, "")
        assert p.stderr.startswith("oobctl: sms decode: ")
        assert p.stderr.count("\n") == 1


def test_every_truncation_is_refused():
    for vector in VECTORS[:2] + VECTORS[-1:]:
        pdu = vector["pdu"]
        for n in range(2, len(pdu), 14):
            assert run("decode", pdu[:n]).returncode == 1


def test_for_people():
    vector = VECTORS[1]
    p = run("decode", vector["pdu"])
    assert p.returncode == 0
    lines = dict(line.split(None, 1) for line in p.stdout.splitlines())
    assert lines["type"] == "DELIVER"
    assert lines["sender"] == vector["sender"]
    # One line, whatever a stranger wrote.
    assert lines["text"] == r'\x0d\x0aOK\x0d\x0a+CMTI: "SM",7\x0d\x0a' \
        r'ERROR\x0d\x0a> '
    assert p.stdout.count("\n") == len(lines)


def test_lower_case_and_blanks_around():
    vector = VECTORS[0]
    p = run("decode", "  " + vector["pdu"].lower() + "\n", "--json")
    assert json.loads(p.stdout)["text"] == vector["text"]


def test_usage():
    for args in (["decode"], ["decode", "00", "00"], ["decode", "-x"]):
        p = run(*args)
        assert p.returncode == 2 and "usage" in p.stderr


def test_escapes_do_not_reach_the_terminal():
    # UCS-2: ESC [ 2 J and U+009B.
    pdu = "00040C913466103254760008628042307124800A001B005B0032004A009B"
    p = run("decode", pdu)
    assert p.returncode == 0
    assert "\x1b" not in p.stdout and "\x9b" not in p.stdout
    p = run("decode", pdu, "--json")
    assert json.loads(p.stdout)["text"] == "\x1b[2J\x9b"
