"""What a stranger's tool says of the SSH server: ssh-audit."""
import re
import subprocess
from pathlib import Path

import pytest

POLICY = Path(__file__).parent / "ssh_audit.policy"
# The counter-measure to Terrapin, which this ssh-audit is too old to know.
UNKNOWN = "kex-strict-s-v00@openssh.com"


def audit(site, *words):
    return subprocess.run(["ssh-audit", "-n", *words, "-p", str(site.port),
                           "127.0.0.1"], capture_output=True, text=True,
                          timeout=60)


@pytest.fixture
def home(empty_site):
    empty_site.add_line("gw")
    empty_site.add_user("alice")
    return empty_site.start()


def test_policy(home):
    done = audit(home, "-P", str(POLICY))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout


def test_nothing_is_warned_of(home):
    said = audit(home).stdout
    assert "SSH-2.0-oobd" in said
    bad = [line for line in said.splitlines()
           if re.search(r"\[(fail|warn)\]", line) and UNKNOWN not in line]
    assert not bad, "\n".join(bad)
    assert UNKNOWN in said
