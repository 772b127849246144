"""From an SMS at the modem to a console's prompt through a relay, in the lab's
guest (tests/lab): a real kernel and a real pppd, in QEMU's emulation."""
import shutil
import sys
import tempfile
from pathlib import Path

import measure

LAB = Path(__file__).resolve().parent.parent / "lab"
NEEDED = ("qemu-system-x86_64", "busybox", "slirp-fullbolt", "pppd")
ROUNDS, QUICK_ROUNDS = 5, 2


def missing():
    """Programs that the lab needs and that are not there."""
    path = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
    return [p for p in NEEDED if shutil.which(p, path=path) is None]


def sms_times(bench, system):
    sys.path.append(str(LAB))
    import box
    import kernel
    import sms_time

    work = Path(tempfile.mkdtemp(prefix="oobd-lab-"))
    timed = None
    try:
        timed = sms_time.Timed(kernel.Kernel(), work, box.Keys(work))
        figures = timed.measure(QUICK_ROUNDS if bench.sizes is measure.QUICK
                                else ROUNDS)
    finally:
        if timed is not None:
            timed.stop()
        shutil.rmtree(work, ignore_errors=True)
    figures["rounds"] = len(figures["rounds"])
    return figures


MEASUREMENTS = {"sms": measure.Measurement(sms_times, alone=True)}
