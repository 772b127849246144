"""What the sandbox costs: the same keys with and without it, by turns."""
import os

import measure

TURNS = (True, False, False, True, True, False, False, True)


def one(bench, system, confined):
    """Microseconds of each key, everybody on one core (see measure)."""
    kind = type(system.__name__, (system,), {
        "top": "" if confined else "sandbox = false\n"})
    with bench.session(kind) as (router, server):
        client, = measure.attach(server, router, [0])
        router.echo(0)
        return measure.echo_times(client, bench.sizes.echo_keys)


def sandbox(bench, system):
    """Keystroke to echo; the best half of the turns each, as what disturbs
    only ever adds."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    p50, lost = {True: [], False: []}, 0
    try:
        for confined in TURNS:
            times, missed = one(bench, system, confined)
            p50[confined].append(measure.percentile(times, 50))
            lost += missed
    finally:
        os.sched_setaffinity(0, before)
    on, off = (measure.median(sorted(p50[c])[:2]) for c in (True, False))
    return dict(on_us=on, off_us=off, more_pct=(on / off - 1) * 100,
                lost=lost)


MEASUREMENTS = {
    "sandbox": measure.Measurement(sandbox, alone=True),
}
