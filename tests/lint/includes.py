#!/usr/bin/env python3
"""Who may include whom.  docs/architecture.md says it in words."""
import os
import re
import sys

# Folder: what quoted includes may resolve to (prefixes, from the top).
QUOTED = {
    "server/base": ("server/base/",),
    "serial": ("serial/", "server/base/"),
    "auth": ("auth/", "server/base/"),
    "modem": ("modem/", "server/base/", "auth/", "serial/port.h"),
    "server": ("server/", "serial/", "auth/", "modem/"),
    "contrib/sim": ("contrib/sim/", "server/base/"),
}

# Third-party header: the only files that may include it.
QUARANTINE = (
    (r"libssh/", r"server/(ssh(_\w+)?|relay\w*)\.[ch]"),
    (r"libserialport\.h", r"serial/uart\.c"),
    (r"confuse\.h", r"server/config\w*\.[ch]"),
    (r"sodium\.h", r"auth/\w+\.c|serial/seal\.c"),
    (r"openssl/", r"auth/proof\.c|server/ssh_proof\.c"),
    (r"liboath/", r"auth/\w+\.c"),
    (r"qrencode\.h", r"server/qr\.c"),
    (r"curl/", r"server/notify\w*\.c"),
    (r"zstd\.h", r"serial/\w+\.c"),
    (r"jansson\.h", r"(server|serial)/\w+\.[ch]"),
    (r"cmocka\.h", r"(?!)"),
    (r"seccomp\.h", r"server/sandbox_linux\.c"),
    (r"linux/", r".*_linux\.c"),
)

# Codecs and state machines: no header that can do I/O.  So is every module
# whose header calls itself "Pure".
PURE = ("server/base/frame", "serial/line", "serial/hub", "serial/keys",
        "serial/record", "serial/parmrk", "serial/strip", "server/words")
IO = re.compile(r"(unistd|fcntl|poll|termios|signal|dirent|pthread|spawn|"
                r"netdb|syslog|sys/(socket|stat|mman|ioctl|select|uio|un|wait"
                r"|file)|netinet/\w+|arpa/inet)\.h")
# inet_pton(3) and AF_INET6 are codecs, but live among sockets.
IO_ALLOWED = {"auth/addr.c": ("sys/socket.h", "arpa/inet.h", "netinet/in.h")}
IO_OWN = re.compile(r"(^|/)(fileio|link|loop|os)\.h$")

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')
# Systems differ by whole files, never by a conditional in one.
SYSTEM = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*__"
                    r"(FreeBSD|linux|OpenBSD|NetBSD|APPLE)")
OS_FILE = re.compile(r"_(linux|freebsd|posix|poll|none)\.c$")


def folder_of(path):
    """The most specific folder with rules of its own."""
    found = [f for f in QUOTED if path.startswith(f + "/")]
    return max(found, key=len) if found else None


def check_quoted(path, name, folder):
    target = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if not target.startswith(QUOTED[folder]):
        yield f"{folder}/ must not include {target}"
    if not os.path.exists(target):
        yield f"includes {target}, which does not exist"


def check_system(path, name):
    for header, allowed in QUARANTINE:
        if re.match(header, name) and not re.fullmatch(allowed, path):
            yield f"<{name}> is only for {allowed}"


def is_pure(path):
    stem = path[:-2]
    if stem in PURE:
        return True
    try:
        with open(stem + ".h", encoding="utf-8") as f:
            return re.search(r"\bPure\b", f.read(1000)) is not None
    except FileNotFoundError:
        return False


def check_file(path):
    folder = folder_of(path)
    pure = is_pure(path)
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            found = INCLUDE.match(line)
            problems = []
            if found and found.group(1) == '"':
                problems = list(check_quoted(path, found.group(2), folder))
                if pure and IO_OWN.search(found.group(2)):
                    problems.append(f"pure module includes {found.group(2)}")
            elif found:
                problems = list(check_system(path, found.group(2)))
                if pure and IO.fullmatch(found.group(2)) and \
                        found.group(2) not in IO_ALLOWED.get(path, ()):
                    problems.append(f"pure module includes {found.group(2)}")
            if SYSTEM.match(line) and not OS_FILE.search(path):
                problems.append("differences between systems go into a file "
                                "of their own")
            for problem in problems:
                yield f"{path}:{number}: {problem}"


def sources():
    for folder in QUOTED:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) \
                else ():
            if name.endswith((".c", ".h")):
                yield f"{folder}/{name}"


def main():
    files = list(sources())
    problems = [p for path in files for p in check_file(path)]
    for p in problems:
        print(p)
    print(f"includes: {len(files)} files, {len(problems)} problems")
    return 1 if problems or not files else 0


if __name__ == "__main__":
    sys.exit(main())
