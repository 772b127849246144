"""The measurements.  Each takes a Bench and an adapter class and returns a
flat dict; how much it does is told by the sizes in the Bench."""
import contextlib
import os
import select
import shutil
import signal
import statistics
import time
from dataclasses import dataclass

import proc
from load import LINE, LINES, TOKEN, Router, Stream, drain, pump, settle, \
    whole_lines
from proc import now

UART_BPS, UART_CHUNK = 11520, 16        # 115200 8N1, half a 16550 FIFO


@dataclass
class Sizes:
    echo_runs: int
    echo_keys: int
    attach_tries: int
    memory_clients: int
    flood_runs: int
    flood_mb: float
    idle_sec: float
    stopped_mb: float
    busy_runs: int
    busy_lines: int
    busy_sec: float
    crash_runs: int
    crash_paced: bool
    fleet_boxes: int
    fleet_down: tuple
    search_mb: int
    logins: int
    hour_sec: float
    long_mb: int
    paced_sec: float


FULL = Sizes(echo_runs=15, echo_keys=200, attach_tries=11, memory_clients=32,
             flood_runs=3, flood_mb=50, idle_sec=20, stopped_mb=20,
             busy_runs=3, busy_lines=48, busy_sec=20, crash_runs=5,
             crash_paced=True, fleet_boxes=200, fleet_down=(5, 60),
             search_mb=1024, hour_sec=300, long_mb=10240,
             paced_sec=60, logins=300)
QUICK = Sizes(echo_runs=2, echo_keys=300, attach_tries=4, memory_clients=8,
              flood_runs=1, flood_mb=10, idle_sec=5, stopped_mb=8,
              busy_runs=1, busy_lines=48, busy_sec=6, crash_runs=2,
              crash_paced=False, fleet_boxes=12, fleet_down=(2,),
              search_mb=128, hour_sec=20, long_mb=512,
              paced_sec=10, logins=100)


class Bench:
    """Site, payload, sizes; hands out sessions."""

    def __init__(self, site, payload, sizes, keep=False):
        self.site, self.payload, self.sizes = site, payload, sizes
        self.keep, self.count = keep, 0

    @contextlib.contextmanager
    def session(self, system, lines=1):
        """Fresh ptys, a fresh server; all gone afterwards."""
        self.count += 1
        work = self.site.work / f"{self.count:03d}-{system.name}"
        work.mkdir()
        router = Router(self.site.build / "router", self.payload, lines)
        server = system(self.site, work)
        try:
            server.serve(router.ttys)
            yield router, server
        finally:
            server.stop()
            router.close()
            left = [p for p in proc.descendants([os.getpid()])
                    if p != os.getpid()]
            proc.end(left)
            proc.reap()
            if not self.keep:
                shutil.rmtree(work, ignore_errors=True)


def attach(server, router, ports, gap=0.0):
    """A client for each port; back when each has seen console output."""
    ports = list(ports)
    clients = []
    for p in ports:
        clients.append(server.attach(p))
        time.sleep(gap)
    if hasattr(server, "settle"):
        for c in clients:
            server.settle(c)
    else:
        settle(router, list(zip(clients, ports)), 20 + 0.5 * len(ports))
    return clients


def percentile(values, p):
    v = sorted(values)
    return v[round(p / 100 * (len(v) - 1))]


median = statistics.median


def log_length(server, port, limit=3.0):
    """Length of the record once it has stopped growing."""
    deadline, last = now() + limit, None
    while now() < deadline:
        n = len(server.log_bytes(port))
        if n == last:
            break
        last = n
        time.sleep(0.3)
    return last or 0


def log_lost(bench, server, port, start, off, n, limit=4.0):
    """Payload bytes the record lacks behind byte `start`; None when the
    system has no record.  An exact record returns 0, and one with something
    added or doubled at least 1."""
    if not server.logs:
        return None
    deadline = now() + limit
    while True:
        got = server.log_bytes(port)[start:]
        if got == bench.payload.bytes[off:off + n]:
            return 0
        if now() > deadline:
            return max(1, bench.payload.lost(got, off, n))
        time.sleep(0.3)


# ------------------------------------------------------------ echo
def echo_times(client, keys, warm=50):
    """Microseconds from a key written to its echo read, and keys lost."""
    poll = select.poll()
    poll.register(client.rfd, select.POLLIN)
    out, lost = [], 0
    for i in range(keys + warm):
        key = bytes([97 + i % 26])
        t0 = time.perf_counter_ns()
        client.write(key)
        got = b""
        while key not in got:
            if not poll.poll(2000):
                lost += 1
                break
            b = client.read()
            if b == b"":
                raise RuntimeError("the client ended")
            got += b or b""
        else:
            if i >= warm:
                out.append((time.perf_counter_ns() - t0) / 1000)
        if lost > 10:
            break
        time.sleep(0.001)
    if not out:
        raise RuntimeError(f"{lost} keys without an echo")
    return out, lost


def echo(bench, system):
    """Keystroke to echo, one client, the router echoing at once."""
    with bench.session(system) as (router, server):
        client, = attach(server, router, [0])
        router.echo(0)
        time.sleep(0.2)
        before = proc.cpu_ns(server.pids())
        v, lost = echo_times(client, bench.sizes.echo_keys)
        cpu, _ = proc.cpu_used(before, proc.cpu_ns(server.pids()))
        return dict(p50_us=percentile(v, 50), p99_us=percentile(v, 99),
                    max_us=max(v), cpu_us_per_key=cpu * 1e6 / (len(v) + 50),
                    lost=lost)


def echo_one_core(bench, system):
    """The same with everybody on one core: what the keys cost, without what
    a virtual machine takes to wake an idle core, which hits by chance."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        return echo(bench, system)
    finally:
        os.sched_setaffinity(0, before)


# ------------------------------------------------------------ attach
def attach_time(bench, system):
    """Start of the client program to the first byte of a router that sends
    three bytes every half millisecond."""
    times = []
    with bench.session(system) as (router, server):
        for i in range(bench.sizes.attach_tries):
            router.reset(0)
            router.token(0)
            time.sleep(0.05)
            t0 = now()
            client = server.attach(0)
            got = b""
            while TOKEN not in got and now() < t0 + 10:
                if select.select([client.rfd], [], [], 0.5)[0]:
                    b = client.read()
                    if b == b"":
                        raise RuntimeError("the client ended")
                    got += b or b""
            t = now() - t0
            router.stop(0)
            if TOKEN not in got:
                raise RuntimeError("nothing came in 10 s")
            if i > 0:                           # the first warms the caches
                times.append(t * 1000)
            server.detach(client)
            time.sleep(server.reattach_gap)
            proc.reap()
    return dict(p50_ms=median(times), max_ms=max(times), tries=len(times))


# ------------------------------------------------------------ memory
def memory(bench, system):
    """Anonymous memory of every process on the server's side."""
    n = bench.sizes.memory_clients
    with bench.session(system, 1 if system.shared else n) as (router, server):
        time.sleep(1)
        idle = proc.memory_kb(server.pids())
        attach(server, router, [0])
        time.sleep(0.5)
        one = proc.memory_kb(server.pids())
        attach(server, router,
               [0] * (n - 1) if system.shared else range(1, n), gap=0.02)
        time.sleep(0.5)
        many = proc.memory_kb(server.pids())
    return dict(kb_per_client=(many["anon"] - one["anon"]) / (n - 1),
                idle_kb=idle["anon"], one_kb=one["anon"],
                many_kb=many["anon"], clients=n,
                processes=f"{idle['processes']}/{one['processes']}/"
                          f"{many['processes']}")


# ------------------------------------------------------------ flood
def flood(clients):
    """As fast as the tty takes it, to so many clients."""
    def once(bench, system):
        n = whole_lines(bench.sizes.flood_mb)
        with bench.session(system) as (router, server):
            cs = attach(server, router, [0] * clients)
            start = log_length(server, 0) if server.logs else 0
            streams = [Stream(c, bench.payload, 0, n) for c in cs]
            pids = server.pids()
            before, t0 = proc.cpu_ns(pids), now()
            router.flood(0, 0, n)
            end = pump(streams, 120, quiet=2.0, busy=router.busy)
            took = max(s.last or now() for s in streams) - t0
            cpu, by = proc.cpu_used(before, proc.cpu_ns(pids))
            sent = router.stat(0)["sent"]
            router.stop(0)
            per = 100e6 / max(1, sent)
            return dict(
                mb=bench.sizes.flood_mb, mb_s=sent / 1e6 / took,
                cpu_s_per_100mb=cpu * per,
                by={k: round(v * per, 2) for k, v in by.items()},
                lost=sum(s.lost() - (n - sent) for s in streams),
                log_lost=log_lost(bench, server, 0, start, 0, sent),
                complete=end == "done" and sent == n)
    return once


# ------------------------------------------------------------ stopped
def stopped(bench, system):
    """Three clients on a line, one stopped, then a flood: do the others get
    all of it, and what does the sleeper cost?  A first flood with all awake
    has buffers grow to where they stay."""
    n, first = whole_lines(bench.sizes.stopped_mb), whole_lines(2)
    with bench.session(system) as (router, server):
        cs = attach(server, router, [0] * 3)
        warm = [Stream(c, bench.payload, 0, first) for c in cs]
        router.flood(0, 0, first)
        pump(warm, 20, quiet=3.0, busy=router.busy)
        start = log_length(server, 0)
        cs[2].pause()
        time.sleep(0.3)
        anon = [proc.memory_kb(server.pids())["anon"]]

        def sample():
            anon.append(proc.memory_kb(server.pids())["anon"])
        streams = [Stream(c, bench.payload, first, n) for c in cs]
        router.flood(0, first, n)
        pump(streams[:2], 20, quiet=4.0, each=sample)
        sample()
        sent = router.stat(0)["sent"]
        others = sum(s.lost() for s in streams[:2])
        done = all(s.done for s in streams[:2])
        missing = log_lost(bench, server, 0, start, first, n, limit=2.0)
        cs[2].resume()
        pump(streams, 20, quiet=3.0, busy=router.busy)
        router.stop(0)
        return dict(mb=bench.sizes.stopped_mb, others_done=done,
                    others_lost=others, log_lost=missing,
                    router_mb=sent / 1e6, growth_kb=max(anon) - anon[0],
                    sleeper_mb=streams[2].total / 1e6,
                    sleeper_lost=streams[2].lost())


# ------------------------------------------------------------ busy
def echo_beside(bench, router, server, clients):
    """Keystroke echo on line 0 while all others stay loaded; a child of
    ours takes what the other clients get."""
    lines, secs = len(clients), 12
    router.stop()
    drain(clients, 0.2)
    for p in range(1, lines):
        router.paced(p, 0, UART_BPS * secs, UART_BPS, UART_CHUNK)
    child = os.fork()
    if child == 0:
        try:
            streams = [Stream(c, bench.payload, 0, 1 << 40)
                       for c in clients[1:]]
            for s in streams:
                s.feed = len
            pump(streams, secs - 1, tick=0.01)
        finally:
            os._exit(0)
    try:
        router.echo(0)
        time.sleep(0.3)
        v, lost = echo_times(clients[0], 500, warm=20)
        return percentile(v, 50), percentile(v, 99), lost
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def busy(bench, system):
    """Many lines at a UART's pace with a client each."""
    lines = bench.sizes.busy_lines
    n = int(UART_BPS * bench.sizes.busy_sec) // LINE * LINE
    off = [p * 640_000 for p in range(lines)]
    ports = range(lines)
    with bench.session(system, lines) as (router, server):
        time.sleep(1)
        clients = attach(server, router, ports, gap=0.03)
        time.sleep(0.5)
        start = [len(server.log_bytes(p) or b"") for p in ports]
        pids = server.pids()
        streams = [Stream(c, bench.payload, off[p], n)
                   for p, c in enumerate(clients)]
        before, woke, t0 = proc.cpu_ns(pids), proc.switches(pids), now()
        for p in ports:
            router.paced(p, off[p], n, UART_BPS, UART_CHUNK)
        pump(streams, bench.sizes.busy_sec * 2 + 10, quiet=2.0, tick=0.01,
             busy=lambda: router.busy(ports))
        took = max(s.last or now() for s in streams) - t0
        cpu, by = proc.cpu_used(before, proc.cpu_ns(pids))
        woke = proc.switches(pids) - woke
        logs = [log_lost(bench, server, p, start[p], off[p], n,
                         limit=3.0 if p == 0 else 0.5) for p in ports]
        out = dict(lines=lines, cpu_pct=100 * cpu / took,
                   by={k: round(100 * v / took, 1) for k, v in by.items()},
                   switches_per_s=woke / took,
                   overrun=sum(router.stat(p)["overrun"] for p in ports),
                   lost=sum(s.lost() for s in streams),
                   log_lost=None if None in logs else sum(logs),
                   processes=len(pids))
        p50, p99, lost = echo_beside(bench, router, server, clients)
        out.update(echo_p50_us=p50, echo_p99_us=p99, echo_lost=lost)
        return out


# ------------------------------------------------------------ idle
def idle(bench, system):
    """Wake-ups of all processes together with nothing to do."""
    def sample(server, seconds):
        pids = server.pids()
        cpu, woke = proc.cpu_ns(pids), proc.switches(pids, True)
        time.sleep(seconds)
        used, _ = proc.cpu_used(cpu, proc.cpu_ns(pids))
        woke = proc.switches(pids, True) - woke
        return woke / seconds, used * 1000 / seconds
    with bench.session(system) as (router, server):
        time.sleep(2)
        none, _ = sample(server, bench.sizes.idle_sec)
        attach(server, router, [0])
        time.sleep(2)
        one, cpu = sample(server, bench.sizes.idle_sec)
    return dict(wakeups_none=none, wakeups_one=one, cpu_ms_per_s=cpu)


# ------------------------------------------------------------ crash
def crash_once(bench, system, flooding):
    """kill -9 of the whole server: bytes the client has that the record
    lacks: as the files lie there, and after a new start, if that repairs."""
    n = LINES * LINE
    with bench.session(system) as (router, server):
        client, = attach(server, router, [0])
        start = log_length(server, 0)
        s = Stream(client, bench.payload, 0, n)
        if flooding:
            router.flood(0, 0, n)
        else:
            router.paced(0, 0, n, UART_BPS, UART_CHUNK)
        want = 5_000_000 if flooding else 30_000
        pump([s], 20, until=lambda: s.total >= want,
             tick=0 if flooding else 0.005)
        proc.signal_all(server.server_pids(), signal.SIGKILL)
        pump([s], 5, quiet=0.7)
        router.stop(0)
        seen = s.reached()

        def missing():
            log = server.log_bytes(0)[start:]
            if log == bench.payload.bytes[:len(log)] and s.exact:
                return max(0, s.total - len(log)), True
            return max(0, seen - bench.payload.reaches(log)), False
        lack, exact = missing()
        left = lack
        if hasattr(server, "restart_after_kill"):
            server.restart_after_kill()
            lack, exact = missing()
        return dict(missing=lack, left=left, exact=exact)


def crash(bench, system):
    flood = crash_once(bench, system, True)
    out = dict(missing_max=flood["missing"], left_max=flood["left"],
               exact=flood["exact"], runs=1)
    if bench.sizes.crash_paced:
        paced = crash_once(bench, system, False)
        out.update(paced_max=paced["missing"], runs=2,
                   left_max=max(flood["left"], paced["left"]),
                   exact=flood["exact"] and paced["exact"])
    return out


# ------------------------------------------------------------ rounds
SUMMED = {"lost", "log_lost", "echo_lost", "others_lost", "runs", "tries"}
WORST = {"max_us", "max_ms", "missing_max", "paced_max", "left_max"}


def merge_field(key, values):
    if None in values:
        return None
    if isinstance(values[0], bool):
        return all(values)
    if isinstance(values[0], dict):
        return {k: median([v.get(k, 0) for v in values]) for k in values[0]}
    if isinstance(values[0], str):
        return values[0]
    if key in SUMMED:
        return sum(values)
    return max(values) if key in WORST else median(values)


def merge(rows):
    """Rounds of one cell into one result: medians, sums of what was lost,
    the worst of what must not happen.  A round that failed is the result."""
    for r in rows:
        if "error" in r:
            return r
    return {k: merge_field(k, [r[k] for r in rows]) for k in rows[0]}


@dataclass
class Measurement:
    run: object                 # one round
    rounds: str = ""            # the size that says how many; one
    shared: bool = False        # needs several clients on a line
    logs: bool = False          # needs a record
    relayed: bool = False       # goes through a relay: relayed.py
    alone: bool = False         # of ours only
    logins: bool = False        # needs no line: logins.py
    once: bool = False          # too long to be measured again


ALL = {
    "echo": Measurement(echo, "echo_runs"),
    "onecore": Measurement(echo_one_core, "echo_runs"),
    "attach": Measurement(attach_time),
    "memory": Measurement(memory),
    "flood1": Measurement(flood(1), "flood_runs"),
    "flood10": Measurement(flood(10), "flood_runs", shared=True),
    "stopped": Measurement(stopped, shared=True, logs=True),
    "busy": Measurement(busy, "busy_runs"),
    "idle": Measurement(idle),
    "crash": Measurement(crash, "crash_runs", logs=True),
}


def rounds(sizes, key):
    return getattr(sizes, ALL[key].rounds) if ALL[key].rounds else 1


def applies(system, key):
    m = ALL[key]
    if system.only is not None:
        return key in system.only
    if m.relayed and not hasattr(system, "relayed"):
        return False
    if m.logins and not hasattr(system, "nothing"):
        return False
    if m.alone and system.name != "oobd":
        return False
    return (system.shared or not m.shared) and (system.logs or not m.logs)
