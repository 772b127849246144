"""The lab: real kernels, serial drivers and PPP in QEMU.  About six minutes
with two guests at a time.  A machine that cannot run it makes these tests
fail, with the remedy."""
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import box          # noqa: E402
import kernel       # noqa: E402


@pytest.fixture(scope="session")
def stock_kernel():
    return kernel.Kernel()


@pytest.fixture(scope="module")
def work():
    """A folder with a short name: sockets are in it."""
    d = Path(tempfile.mkdtemp(prefix="oobd-lab-"))
    yield d
    shutil.rmtree(d, ignore_errors=True)


@pytest.fixture(scope="module")
def keys(work):
    return box.Keys(work)


@pytest.fixture
def clients():
    """A list: what is put into it is stopped at the end."""
    made = []
    yield made
    for c in made:
        c.stop()
