"""Results to markdown: the goals with their verdicts, then every figure."""
import os
import platform
import subprocess
import time

DOES_NOT_APPLY = "-"


def number(v):
    if v is None:
        return DOES_NOT_APPLY
    if isinstance(v, bool):
        return "yes" if v else "no"
    if isinstance(v, dict):
        return " ".join(f"{k}={x:g}" for k, x in v.items())
    if isinstance(v, float):
        return f"{v:.0f}" if abs(v) >= 100 else \
            f"{v:.1f}" if abs(v) >= 10 else f"{v:.2f}"
    return str(v)


class Results:
    """results[measurement][system] = dict, or dict(error=...)."""

    def __init__(self):
        self.by = {}

    def add(self, measurement, system, result):
        self.by.setdefault(measurement, {})[system] = result

    def get(self, measurement, system, field):
        r = self.by.get(measurement, {}).get(system)
        return None if r is None or "error" in r else r.get(field)


# What is compared: (title, measurement, field, rules).  A rule is (kind,
# value): "ratio" SYSTEM at most/at least, "max" a figure, "is" an exact one.
def at_most(system, factor):
    return ("most", system, factor)


def at_least(system, factor):
    return ("least", system, factor)


def limit(figure):
    return ("limit", None, figure)


def above(figure):
    return ("above", None, figure)


def exactly(value):
    return ("is", None, value)


CU, CONSERVER, CONMAN = "ssh-cu", "conserver-ssh", "conman-ssh"
RIVALS = (CU, CONSERVER, CONMAN)
GOALS = [
    ("keystroke echo p50, us", "echo", "p50_us",
     [at_most(CU, 0.85), at_most(CONSERVER, 0.7)]),
    ("keystroke echo p99, us", "echo", "p99_us",
     [at_most(CU, 0.85), at_most(CONSERVER, 0.7)]),
    ("keystroke echo on one core p50, us", "onecore", "p50_us",
     [at_most(CU, 0.85), at_most(CONSERVER, 0.7)]),
    ("attach to first byte p50, ms", "attach", "p50_ms",
     [at_most(CU, 0.25)]),
    ("anonymous memory per further client, kB", "memory", "kb_per_client",
     [limit(48)]),
    ("flood, 1 client, MB/s", "flood1", "mb_s", [at_least(CONSERVER, 1.0)]),
    ("flood, 1 client, CPU s/100 MB", "flood1", "cpu_s_per_100mb",
     [at_most(CONSERVER, 1.0)]),
    ("flood, 1 client, bytes lost", "flood1", "lost", [exactly(0)]),
    ("flood, 1 client, bytes missing in the record", "flood1", "log_lost",
     [exactly(0)]),
    ("flood, 10 clients, MB/s", "flood10", "mb_s",
     [at_least(CONSERVER, 1.0)]),
    ("flood, 10 clients, CPU s/100 MB", "flood10", "cpu_s_per_100mb",
     [at_most(CONSERVER, 1.0)]),
    ("flood, 10 clients, bytes lost", "flood10", "lost", [exactly(0)]),
    ("flood, 10 clients, bytes missing in the record", "flood10", "log_lost",
     [exactly(0)]),
    ("one of three stopped: others complete", "stopped", "others_done",
     [exactly(True)]),
    ("one of three stopped: bytes the others lost", "stopped", "others_lost",
     [exactly(0)]),
    ("one of three stopped: bytes missing in the record", "stopped",
     "log_lost", [exactly(0)]),
    ("one of three stopped: memory growth, kB", "stopped", "growth_kb",
     [limit(1024)]),
    ("48 lines: bytes lost", "busy", "lost", [exactly(0)]),
    ("48 lines: bytes missing in the record", "busy", "log_lost",
     [exactly(0)]),
    ("48 lines: server CPU, % of a core", "busy", "cpu_pct", [limit(45)]),
    ("48 lines: echo beside that load p50, us", "busy", "echo_p50_us",
     [limit(500)]),
    ("idle wake-ups/s, no client", "idle", "wakeups_none", [limit(2)]),
    ("idle wake-ups/s, 1 client", "idle", "wakeups_one", [limit(2)]),
    ("kill -9 in a flood: seen bytes missing in the record", "crash",
     "missing_max", [exactly(0)]),
    ("kill -9 at 11520 B/s: seen bytes missing in the record", "crash",
     "paced_max", [exactly(0)]),
    ("logins a second", "logins", "per_s", [at_least(CU, 1.0)]),
    ("... CPU ms each", "logins", "cpu_ms", [at_most(CU, 1.0)]),
    ("... failed", "logins", "failed", [exactly(0)]),
    ("memory left behind by a refused login, bytes", "refused",
     "bytes_each", [limit(64)]),
    ("... refused a second", "refused", "per_s", [at_least(CU, 1.0)]),
    ("... let in", "refused", "let_in", [exactly(0)]),
    ("keystroke echo in its sandbox: % more than without", "sandbox",
     "more_pct", [limit(2)]),
    ("keystroke echo through a relay p50, us", "relay", "p50_us",
     [at_most(CU, 0.9)]),
    ("\"link up\" to a console somebody reaches, s", "way", "link_up_s",
     [limit(2)]),
    ("back after the relay was killed, s", "way", "killed_s", [limit(10)]),
    ("back after the relay was frozen and thawed, s", "way", "thawed_s",
     [limit(30)]),
    ("back after the path swallowed everything, s", "way", "path_s",
     [limit(120)]),
    ("boxes at one stock sshd: all back after it was gone", "fleet",
     "all_back", [exactly(True)]),
    ("... seconds until the last is", "fleet", "back_s", [limit(330)]),
    ("... logins turned away", "fleet", "turned_away", [exactly(0)]),
    ("... relay's memory per box (Pss), kB", "fleet", "pss_kb",
     [limit(3000)]),
    ("search of the journal, a word: times grep -E", "grep", "word_x",
     [limit(1.5)]),
    ("... one of two words: times grep -E", "grep", "either_x",
     [limit(1.5)]),
    ("... words with something between: times grep -E", "grep", "several_x",
     [limit(1.5)]),
    ("... --since, packed: times faster than zstdgrep of all", "grep",
     "since_x", [above(100)]),
    ("... first hit behind --since, ms", "grep", "since_ms", [limit(100)]),
    ("replay --at to the first byte, ms", "grep", "seek_ms", [limit(100)]),
    ("record with times, flood: CPU s/100 MB", "record", "cpu_s_per_100mb",
     [at_most(CONSERVER, 1.0), at_most(CONMAN, 1.0)]),
    ("... 11520 B/s: CPU ms/MB", "record", "paced_ms_per_mb",
     [at_most(CONSERVER, 1.0), at_most(CONMAN, 1.0)]),
    ("... bytes missing in it", "record", "log_lost", [exactly(0)]),
    ("48 consoles for long: bytes missing in the record", "hour", "log_lost",
     [exactly(0)]),
    ("... bytes that a client lost", "hour", "lost", [exactly(0)]),
    ("... growth of any process in the second half, kB", "hour", "growth_kb",
     [limit(1024)]),
    ("a long journal: log --since of 10 s, ms", "hour", "log_ms",
     [limit(100)]),
    ("... replay --at to the first byte, ms", "hour", "at_ms", [limit(100)]),
    ("... first hit of grep between two times, ms", "hour", "hit_ms",
     [limit(100)]),
    ("... growth of a process that reads all of it, kB", "hour",
     "reader_growth_kb", [limit(256)]),
    ("SMS to PPP in the lab, our own time, s", "sms", "own_ppp", [limit(2)]),
    ("SMS to a console's prompt in the lab, our own time, s", "sms",
     "own_prompt", [limit(2)]),
]


def rule_text(rule):
    kind, system, value = rule
    if kind == "most":
        return f"<= {value:g} x {system}"
    if kind == "least":
        return f">= {value:g} x {system}"
    if kind == "above":
        return f">= {value:g}"
    return f"<= {value:g}" if kind == "limit" else number(value)


def rule_met(rule, ours, rival):
    """True, False, or None when it cannot be told."""
    kind, system, value = rule
    if ours is None or (system is not None and rival is None):
        return None
    if kind == "most":
        return ours <= value * rival
    if kind == "least":
        return ours >= value * rival
    if kind == "above":
        return ours >= value
    return ours <= value if kind == "limit" else ours == value


def verdict(res, measurement, field, rules):
    ours = res.get(measurement, "oobd", field)
    met = [rule_met(r, ours, r[1] and res.get(measurement, r[1], field))
           for r in rules]
    if False in met:
        return "NOT MET"
    return "not measured" if None in met else "met"


def ratio(ours, theirs):
    if isinstance(ours, bool) or not ours or not theirs:
        return DOES_NOT_APPLY
    return f"{ours / theirs:.2f}"


def goal_table(res):
    """(markdown, goals not met)"""
    rows = ["| | oobd | goal | " + " | ".join(RIVALS) + " | "
            + " | ".join(f"oobd/{r.split('-ssh')[0].replace('ssh-', '')}"
                         for r in RIVALS) + " | |",
            "|---|---:|---|" + "---:|" * 6 + "---|"]
    unmet = []
    for title, measurement, field, rules in GOALS:
        if measurement not in res.by:
            continue
        ours = res.get(measurement, "oobd", field)
        theirs = [res.get(measurement, r, field) for r in RIVALS]
        v = verdict(res, measurement, field, rules)
        if v == "NOT MET":
            unmet.append(title)
        rows.append("| " + " | ".join(
            [title, number(ours), ", ".join(map(rule_text, rules))]
            + [number(t) for t in theirs]
            + [ratio(ours, t) for t in theirs] + [v]) + " |")
    return "\n".join(rows), unmet


# Every figure.  (heading, measurement, [(column, field)])
DETAILS = [
    ("Keystroke echo", "echo",
     [("p50 us", "p50_us"), ("p99 us", "p99_us"), ("max us", "max_us"),
      ("server CPU us/key", "cpu_us_per_key"), ("lost", "lost")]),
    ("Keystroke echo, all on one core", "onecore",
     [("p50 us", "p50_us"), ("p99 us", "p99_us"), ("max us", "max_us"),
      ("server CPU us/key", "cpu_us_per_key"), ("lost", "lost")]),
    ("Client start to first byte", "attach",
     [("p50 ms", "p50_ms"), ("max ms", "max_ms"), ("tries", "tries")]),
    ("Anonymous memory, all processes on the server's side", "memory",
     [("kB per further client", "kb_per_client"), ("idle kB", "idle_kb"),
      ("1 client kB", "one_kb"), ("all clients kB", "many_kb"),
      ("clients", "clients"), ("processes idle/1/all", "processes")]),
    ("Flood, 1 client", "flood1",
     [("MB", "mb"), ("MB/s", "mb_s"), ("CPU s/100 MB", "cpu_s_per_100mb"),
      ("CPU by program", "by"), ("lost", "lost"),
      ("missing in the record", "log_lost"), ("complete", "complete")]),
    ("Flood, 10 clients", "flood10",
     [("MB", "mb"), ("MB/s", "mb_s"), ("CPU s/100 MB", "cpu_s_per_100mb"),
      ("CPU by program", "by"), ("lost", "lost"),
      ("missing in the record", "log_lost"), ("complete", "complete")]),
    ("One of three clients stopped, then a flood", "stopped",
     [("MB", "mb"), ("others complete", "others_done"),
      ("others lost", "others_lost"), ("router could send MB", "router_mb"),
      ("memory growth kB", "growth_kb"),
      ("missing in the record", "log_lost"),
      ("sleeper got MB", "sleeper_mb"), ("sleeper lost", "sleeper_lost")]),
    ("Lines at 11520 B/s in 16-byte pieces, a client each", "busy",
     [("lines", "lines"), ("CPU % of a core", "cpu_pct"),
      ("by program", "by"), ("switches/s", "switches_per_s"),
      ("overrun", "overrun"), ("lost", "lost"),
      ("missing in the record", "log_lost"), ("processes", "processes"),
      ("echo beside, p50 us", "echo_p50_us"), ("p99 us", "echo_p99_us")]),
    ("Idle", "idle",
     [("wake-ups/s, no client", "wakeups_none"),
      ("wake-ups/s, 1 client", "wakeups_one"),
      ("CPU ms/s, 1 client", "cpu_ms_per_s")]),
    ("kill -9: bytes the client saw and the record lacks", "crash",
     [("flood, worst", "missing_max"), ("11520 B/s, worst", "paced_max"),
      ("before a new start, worst", "left_max"), ("record exact", "exact"),
      ("runs", "runs")]),
    ("Logins by ssh, four at once, with a command of no weight", "logins",
     [("a second", "per_s"), ("server CPU ms each", "cpu_ms"),
      ("failed", "failed")]),
    ("Logins with a key that nobody knows, four at once", "refused",
     [("a second", "per_s"), ("memory left behind, bytes each", "bytes_each"),
      ("let in", "let_in")]),
    ("Keystroke echo on one core, in the sandbox and without", "sandbox",
     [("with, p50 us", "on_us"), ("without, p50 us", "off_us"),
      ("% more", "more_pct"), ("lost", "lost")]),
    ("Keystroke echo through a relay", "relay",
     [("p50 us", "p50_us"), ("p99 us", "p99_us"), ("max us", "max_us"),
      ("box's CPU us/key", "cpu_us_per_key"), ("lost", "lost")]),
    ("The way out: seconds until somebody gets his list", "way",
     [("link up", "link_up_s"), ("relay killed", "killed_s"),
      ("relay frozen, thawed", "thawed_s"),
      ("path swallows everything", "path_s")]),
    ("From an SMS to a console's prompt, in the lab: seconds", "sms",
     [("SMS to ATD", "sms_to_dial"), ("dial", "dial"),
      ("CONNECT to pppd", "connect_to_pppd"), ("LCP, IPCP", "negotiation"),
      ("noticed", "address_to_noticed"), ("to relay", "noticed_to_relay"),
      ("TCP", "relay_tcp"), ("relay's SSH", "relay_handshake"),
      ("self-test", "self_test"), ("person's SSH", "client_handshake"),
      ("login to prompt", "login_to_prompt"),
      ("SMS to PPP", "sms_to_ppp"), ("SMS to up", "sms_to_up"),
      ("SMS to prompt", "sms_to_prompt"),
      ("own, to PPP", "own_ppp"), ("own, to prompt", "own_prompt"),
      ("rounds", "rounds")]),
    ("A fleet at one stock sshd, nobody on it", "fleet",
     [("boxes", "boxes"), ("sshd processes per box", "processes"),
      ("relay's Pss kB/box", "pss_kb"), ("of that anonymous", "anon_kb"),
      ("relay's CPU, % of a core", "cpu_pct"),
      ("relay's wake-ups/s", "wakeups"),
      ("a box's own anonymous kB", "box_kb")]),
    ("Searching the record, times the tool beside it", "grep",
     [("MB of text", "mb"), ("a word", "word_x"), ("one of two", "either_x"),
      ("words apart", "several_x"), ("digits", "digits_x"),
      ("CPU: a word", "word_cpu_x"), ("one of two", "either_cpu_x"),
      ("words apart", "several_cpu_x"), ("digits", "digits_cpu_x"),
      ("packed, a word: times zstdgrep", "packed_x"),
      ("--since: times faster", "since_x"), ("ms", "since_ms"),
      ("replay --at, ms", "seek_ms")]),
    ("Keeping a record with the time of every line, nobody attached",
     "record",
     [("flood MB/s", "mb_s"), ("flood, CPU s/100 MB", "cpu_s_per_100mb"),
      ("11520 B/s, CPU ms/MB", "paced_ms_per_mb"),
      ("bytes of record per byte", "record_x"),
      ("11520 B/s, bytes on the disk per byte", "disk_x"),
      ("missing", "log_lost")]),
    ("Many consoles at 11520 B/s for long", "hour",
     [("consoles", "lines"), ("s", "seconds"), ("MB", "mb"),
      ("compared with the record MB", "compared_mb"),
      ("missing in the record", "log_lost"), ("clients", "viewed"),
      ("they lost", "lost"), ("overrun", "overrun"),
      ("segments packed", "packed"), ("removed", "removed"),
      ("CPU % of a core", "cpu_pct"),
      ("anonymous kB, first half", "first_kb"),
      ("second half", "second_kb"), ("growth kB", "growth_kb"),
      ("samples", "samples")]),
    ("Looking things up in a long journal, the slowest of three places",
     "hour",
     [("GB of text", "journal_gb"), ("segments", "segments"),
      ("on the disk MB", "disk_mb"), ("log --since, ms", "log_ms"),
      ("cache empty", "cold_log_ms"), ("replay --at, ms", "at_ms"),
      ("cache empty", "cold_at_ms"), ("grep, first hit, ms", "hit_ms"),
      ("cache empty", "cold_hit_ms"), ("log, all of it: kB", "reader_kb"),
      ("growth kB", "reader_growth_kb")]),
] + [
    (f"The fleet after the relay was gone{more}", "fleet",
     [("gone s", f"down_{n}"), ("first back s", f"first_{n}"),
      ("half s", f"half_{n}"), ("90 % s", f"most_{n}"),
      ("all s", f"all_{n}"), ("logins", f"logins_{n}"),
      ("most logins in 1 s", f"peak_{n}"),
      ("turned away", f"dropped_{n}"), ("relay's CPU s", f"cpu_{n}")])
    for n, more in enumerate(("", ", longer"))
]


def detail_table(res, heading, measurement, columns):
    rows = [f"### {heading}", "",
            "| system | " + " | ".join(c for c, _ in columns)
            + " | others' CPU | stolen |",
            "|---|" + "---:|" * (len(columns) + 2)]
    for system, r in res.by[measurement].items():
        if "error" in r:
            rows.append(f"| {system} | failed: {r['error'][:160]} |")
            continue
        rows.append(f"| {system} | " + " | ".join(
            [number(r.get(f)) for _, f in columns]
            + [number(r["foreign"]), number(r["stolen"])]) + " |")
    return "\n".join(rows)


def has_any(res, measurement, columns):
    """A row that failed counts: it says so."""
    return any("error" in r or any(f in r for _, f in columns)
               for r in res.by.get(measurement, {}).values())


def details(res):
    return "\n\n".join(detail_table(res, *d) for d in DETAILS
                       if has_any(res, d[1], d[2]))


def package_version(package):
    p = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                       capture_output=True, text=True)
    return p.stdout if p.returncode == 0 else "?"


def first_line(argv):
    p = subprocess.run(argv, capture_output=True, text=True)
    return (p.stdout + p.stderr).strip().split("\n")[0]


def machine(oobd_version):
    with open("/proc/cpuinfo") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f
                    if line.startswith("model name")), platform.machine())
    gb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    os_name = platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    versions = ", ".join([
        f"oobd {oobd_version}", "libssh " + package_version("libssh-4"),
        first_line(["ssh", "-V"]).split(",")[0],
        "conserver " + package_version("conserver-server"),
        "ConMan " + package_version("conman"),
        "cu " + package_version("cu")])
    return (f"{cpu}, {os.cpu_count()} cores, {gb:.0f} GB, {os_name}, Linux "
            f"{platform.release()}, {time.strftime('%Y-%m-%d')}.  "
            f"{versions}.")


HEAD = """# oobd beside its rivals

`make bench` (Linux, root, the rivals installed by `sh contrib/bootstrap.sh
bench`) measures all of this in one run; `tests/bench/run.py -o docs/bench.md`
writes this page.  Rivals: `cu` behind OpenSSH's sshd, conserver and ConMan
with their own client programs behind sshd, as a person would reach them.
"""

NOTES = """## How it is measured

- The routers are simulated on ptys (`tests/bench/src/router.c`) and send
  numbered 64-byte lines; every byte is compared at each client and in the
  record.  A pty holds back its writer, so a flood measures capacity; the 48
  lines drop what is not taken at once, as a UART would ("overrun").
- The client is OpenSSH's with its defaults and an ed25519 key, on pipes.
  sshd runs without PAM and DNS, in its favour.
- "Server's side": the daemon, sshd and every program per session.  CPU from
  schedstat, wake-ups are context switches, memory is anonymous memory:
  library pages are shared with the clients on this very machine.
- Clients, routers, servers and the harness share the cores: MB/s and times
  are of the whole machine, good for comparing within one run only.
- "others' CPU": the share of a core that strangers used meanwhile; "stolen":
  what the host of a virtual machine took.  Disturbed cells were repeated.
- Echo: one key, answered by the router at once, the next 1 ms after its
  echo.  On two cores that are idle between the keys a good part of it is what
  the host takes to wake a core of a virtual machine (35 us and more each
  time, two to four times per key, by chance of the scheduler), the same for
  all; "on one core" leaves that out.  Attach: from the start of the client
  program to the first byte of a router that never stops sending.  Missing
  bytes after kill -9: what the client had received and the record, after a
  new start, had not.
- Through a relay: a stock sshd, set up by `contrib/relay`; the person's
  client is `ssh -J relay`.  The rival is what one does by hand: `ssh -R` to
  the relay, sshd and cu on the box.  "Back after": until a client that tries
  all the time gets its answer, from when the relay is there again, or from
  when the path began to swallow what is sent over it, with the keepalive of
  20 s x 3 and the relay's of 15 s x 2 (with `--quick`: 2 s and 1 s).
- The fleet (`tests/bench/fleet.py`): so many real oobd, each with all its
  processes, and one sshd set up by `contrib/relay`, all on this machine; the
  relay is killed with all its connections and started again after a while.
- The record with times: `timestamp 1l` in conserver (whole seconds, on a line
  of its own behind each), `timestamp` in ConMan (whole seconds); in ours
  microseconds, seals and the events.  CPU of the server's processes from the
  first byte until the record is whole.  Bytes on the disk: what the loop
  device under an ext4 of its own counted for one console, all that waited
  for it included.  Neither rival ever syncs its record; ours does within 30 s.
- For long (`--seconds 3600` for an hour): what is removed meanwhile is of
  the consoles with a client, which sees every byte; of all others, and of
  what is left of those, every byte of the record is compared.
- In the lab: oobd, a stock Debian kernel and pppd in QEMU without KVM, where
  every instruction is emulated and what is computed takes 10 to 20 times as
  long as here: an upper bound.  The modem is `oobsim modem`, the network
  behind it slirp, the relay a stock sshd here.  "Our own time" leaves out the
  simulated dial (0.3 s), LCP and IPCP between pppd and slirp, the relay's TCP
  and SSH handshakes until it listens, the start of the person's ssh and its
  handshake.
"""


def markdown(res, intro):
    """(the page, titles of the goals not met)"""
    table, unmet = goal_table(res)
    return (f"{HEAD}\n{intro}\n\n## Goals\n\n{table}\n\n{NOTES}\n"
            f"## All figures\n\n{details(res)}\n"), unmet
