"""What sealed processes ask the system for, as strace(1) saw it.

A role is sealed by the last filter that its first thread loads; a FreeBSD
kernel would refuse from there on what calls() tells here: a path that does not
start at a folder that is held open, an absolute one, and one that leads up.
"""
import re

TRACED = "trace=%file,%process,seccomp"
LINE = re.compile(r"^(\d+) +(.*)$")
ROLE = re.compile(r'^execve\(.*"-R", "(\w+)"')
MADE = re.compile(r"^(?:<\.\.\. )?(?:clone3?|v?fork)\b.*\) += (\d+)$")
CALL = re.compile(r"^(\w+)\((.*)$")
PATH = re.compile(r'"((?:[^"\\]|\\.)*)"')
FILTER = "seccomp(SECCOMP_SET_MODE_FILTER, 0,"
# Of these the first word is what is written into the link, not looked up.
TARGET_FIRST = ("symlinkat",)
# glibc's malloc(3), before it gives memory back to the system; it does without.
LIBC = '"/proc/sys/vm/overcommit_memory"'
NO_PATH = ("execve", "execveat", "exit_group", "exit", "wait4", "waitid",
           "kill", "clone", "clone3", "fork", "vfork")


def argv(out):
    """Before the program's own; the process that is started is oobd."""
    return ["strace", "-D", "-f", "-qq", "-s", "1000", "-e", "signal=none",
            "-e", TRACED, "-o", str(out)]


class Process:
    def __init__(self, role):
        self.role = role
        self.before = []        # calls, up to its newest filter
        self.after = []

    def add(self, text):
        if text.startswith(FILTER):
            self.before += self.after
            self.after = []
        elif CALL.match(text):
            self.after.append(text)


def processes(trace):
    """Those that have a role, their threads' calls among their own."""
    of = {}                     # of the thread
    all_of_them = []
    for row in trace.read_text(errors="replace").splitlines():
        tid, text = LINE.match(row).groups()
        role = ROLE.match(text)
        made = MADE.match(text)
        if role:
            of[tid] = Process(role.group(1))
            all_of_them.append(of[tid])
        elif tid in of:
            of[tid].add(text)
            if made:
                of[made.group(1)] = of[tid]
    return all_of_them


def below(text):
    """Does it look up a path below a folder that is held?"""
    name, rest = CALL.match(text).groups()
    return name not in NO_PATH and PATH.search(rest) is not None


def breach(text):
    """Would capability mode refuse it for its path?"""
    name, rest = CALL.match(text).groups()
    if name in NO_PATH or LIBC in rest:
        return False
    paths = PATH.findall(rest)[name in TARGET_FIRST:]
    if name.rstrip("0123456789").endswith("at") or name == "statx":
        return "AT_FDCWD" in rest or any(
            p.startswith("/") or ".." in p.split("/") for p in paths)
    return bool(paths)
