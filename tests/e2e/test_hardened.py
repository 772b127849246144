"""What the linker and the compiler were asked for is in the programs."""
import subprocess

import pytest
from conftest import BUILD, SANITIZED

pytestmark = pytest.mark.skipif(
    SANITIZED, reason="a sanitizer has checks of its own in their place")


def readelf(program, *what):
    return subprocess.run(["readelf", "-W", *what, str(BUILD / program)],
                          check=True, text=True, capture_output=True).stdout


@pytest.mark.parametrize("program", ["oobd", "oobctl", "oobsim"])
def test_hardened(program):
    assert "Type:                              DYN" in \
        readelf(program, "-h")                          # -fPIE -pie
    segments = readelf(program, "-l")
    assert "GNU_RELRO" in segments                      # -z relro
    stack, = [x for x in segments.splitlines() if "GNU_STACK" in x]
    assert "RWE" not in stack
    assert "NOW" in readelf(program, "-d")              # -z now
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols                # -fstack-protector
    assert "_chk@GLIBC" in symbols                      # _FORTIFY_SOURCE
