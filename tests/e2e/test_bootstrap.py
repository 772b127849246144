"""contrib/bootstrap.sh and tests/check.sh by what they do when packages are
missing and suites fail.  The check itself runs both for real; here a folder
of small programs stands in for the package manager, sudo and make."""
import os
import shutil
import subprocess

import pytest
from conftest import ROOT

DPKG_QUERY = """#!/bin/sh
for p; do :; done
grep -qx "$p" "$HERE/installed" && echo "ii "
"""
APT_GET = """#!/bin/sh
echo "apt-get $*" >>"$HERE/calls"
test "$1" = update && exit 0
for p; do
	case $p in -*|install) ;; *) echo "$p" >>"$HERE/installed";; esac
done
"""
APT_CACHE = """#!/bin/sh
echo "  Candidate: 1.0"
"""
SUDO = """#!/bin/sh
echo "sudo $*" >>"$HERE/calls"
exec "$@"
"""
ID = """#!/bin/sh
cat "$HERE/uid"
"""
MAKE = """#!/bin/sh
echo "make $*" >>"$HERE/calls"
"""


class Machine:
    """A clone, and what its PATH begins with."""

    def __init__(self, here):
        self.here = here
        self.bin = here / "bin"
        self.bin.mkdir()
        for name in ("contrib/bootstrap.sh", "tests/check.sh",
                     "tests/python.sh"):
            (here / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, here / name)
        for name, text in (("dpkg-query", DPKG_QUERY), ("apt-get", APT_GET),
                           ("apt-cache", APT_CACHE), ("sudo", SUDO),
                           ("id", ID), ("make", MAKE)):
            self.program(name, text)
        (here / "uid").write_text("1000\n")
        (here / "installed").write_text("".join(
            p + "\n" for p in self.packages("BUILD")))

    def program(self, name, text):
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def packages(self, name):
        text = (ROOT / "contrib" / "bootstrap.sh").read_text()
        return text.split(f'DEBIAN_{name}="')[1].split('"')[0].split()

    def without(self, *gone):
        left = [p for p in self.packages("BUILD") if p not in gone]
        (self.here / "installed").write_text("\n".join(left) + "\n")

    def run(self, script, *words):
        (self.here / "calls").write_text("")
        path = f"{self.bin}:{os.environ['PATH']}"
        done = subprocess.run(
            ["sh", str(self.here / script), *words], text=True,
            env=dict(os.environ, PATH=path, HERE=str(self.here)),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.calls = (self.here / "calls").read_text().splitlines()
        return done


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_nothing_is_missing(machine):
    done = machine.run("contrib/bootstrap.sh", "build")
    assert done.returncode == 0, done.stderr
    assert [c for c in machine.calls if not c.startswith("make ")] == []
    assert any(c.endswith(" all") for c in machine.calls)


def test_only_what_is_missing_and_once(machine):
    machine.without("make", "libzstd-dev")
    assert machine.run("contrib/bootstrap.sh", "build").returncode == 0
    got, = [c for c in machine.calls if c.startswith("apt-get")]
    assert sorted(got.split()[-2:]) == ["libzstd-dev", "make"]
    assert [c for c in machine.calls if c.startswith("sudo")]
    # Twice in a row: there is nothing left to do, and sudo is not asked.
    assert machine.run("contrib/bootstrap.sh", "build").returncode == 0
    assert [c for c in machine.calls if not c.startswith("make ")] == []


def test_root_needs_no_sudo(machine):
    (machine.here / "uid").write_text("0\n")
    machine.without("gcc")
    assert machine.run("contrib/bootstrap.sh", "build").returncode == 0
    assert [c for c in machine.calls if c.startswith("apt-get")]
    assert not [c for c in machine.calls if c.startswith("sudo")]


def test_lists_that_are_old(machine):
    machine.program("apt-cache", "#!/bin/sh\necho '  Candidate: (none)'\n")
    machine.without("gcc")
    assert machine.run("contrib/bootstrap.sh", "build").returncode == 0
    done = [c.split()[1] for c in machine.calls if c.startswith("apt-get")]
    assert done == ["update", "install"]


def test_what_cannot_be_installed_is_named(machine):
    machine.program("apt-get", "#!/bin/sh\nexit 100\n")
    machine.without("libssh-dev")
    done = machine.run("contrib/bootstrap.sh", "build")
    assert done.returncode == 1
    assert "cannot install: libssh-dev" in done.stderr
    assert not [c for c in machine.calls if c.startswith("make")]


def test_usage(machine):
    for words in ([], ["nonsense"]):
        done = machine.run("contrib/bootstrap.sh", *words)
        assert done.returncode == 2
        assert "demo|check|build" in done.stderr


def check(machine, make, *suites):
    """The check with this for make: its status, its last line, and all."""
    machine.program("make", "#!/bin/sh\n" + make)
    done = machine.run("tests/check.sh", *suites)
    return done.returncode, done.stdout.splitlines()[-1], done.stdout


UNIT = """case "$*" in
unit)	echo "unit: 5 passed, 0 failed";;
esac
"""


def test_one_line_over_all(machine):
    status, last, _ = check(machine, UNIT, "unit", "clang")
    assert (status, last) == (0, "6 passed, 0 failed")


def test_failures_are_counted_and_shown(machine):
    status, last, text = check(
        machine, UNIT.replace("0 failed\"", "2 failed\"; echo why; exit 1"),
        "unit", "clang")
    assert (status, last) == (1, "6 passed, 2 failed")
    assert "why" in text.splitlines()


@pytest.mark.parametrize("make, why", [
    ("exit 2", "could not run"),
    ("kill -9 $$", "could not run"),
    ("case $* in unit) exit 0;; esac", "no test was run"),
    ("case $* in unit) echo 'unit: 0 passed, 0 failed';; esac", "no test was"),
    (UNIT + "exit 3", "could not run"),
])
def test_a_suite_that_could_not_run(machine, make, why):
    status, last, text = check(machine, make, "unit")
    assert status == 1
    assert last.endswith(" passed, 1 failed")
    assert why in text


def test_no_such_suite(machine):
    machine.program("make", "#!/bin/sh\nexit 0\n")
    done = machine.run("tests/check.sh", "nonsense")
    assert done.returncode == 2
    assert "no suite nonsense" in done.stderr
