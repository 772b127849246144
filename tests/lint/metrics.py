#!/usr/bin/env python3
"""Sizes of functions and files, against the limits of docs/style.md."""
import os
import re
import statistics
import sys

FOLDERS = ("server", "server/base", "serial", "auth", "modem", "contrib/sim")
# Of tests only a file's length counts.
TESTS = ("tests", "tests/unit", "tests/e2e", "tests/lab", "tests/lab/src",
         "tests/bench", "tests/bench/src", "tests/fuzz", "tests/lint",
         "tests/shim", "tests/soak")
FUNCTION_MAX = 80
FILE_MAX = 800
PARAMETERS_MAX = 6
COLUMNS_MAX = 80
COLUMNS_NEVER = 88
COLUMNS_SHARE = 0.003     # of lines may be longer than COLUMNS_MAX
# Signatures that a library dictates.
GIVEN = {"server/ssh_chan.c": ("on_pty", "on_window")}

# KNF puts a function's name at the start of a line and its braces alone.
NAME = re.compile(r"^([A-Za-z_]\w*)\(")


def expanded(line):
    return len(line.rstrip("\n").expandtabs(8))


def parameters(text):
    """Number of parameters in "(...)" at the beginning of text."""
    depth, commas, any_text = 0, 0, ""
    for c in text:
        depth += (c in "([") - (c in ")]")
        if depth == 0:
            break
        commas += c == "," and depth == 1
        any_text += c
    inside = any_text[1:].strip()
    return 0 if inside in ("", "void") else commas + 1


def functions(lines):
    """(name, first line, length, parameters) of each."""
    name = first = None
    for i, line in enumerate(lines):
        found = NAME.match(line)
        if found:
            name, first = found.group(1), i
        elif line.startswith("}") and name is not None:
            if any(x.startswith("{") for x in lines[first:i]):
                count = parameters("".join(lines[first:])[len(name):])
                yield name, first + 1, i - first + 1, count
            name = None
        elif line.rstrip().endswith(";") and not line.startswith(("\t", " ",
                                                                  "{")):
            name = None


def read(path, problems):
    with open(path, encoding="utf-8") as f:
        lines = f.readlines()
    if len(lines) > FILE_MAX:
        problems.append(f"{path}: {len(lines)} lines, at most {FILE_MAX}")
    return lines


def sources(folder, suffixes=(".c", ".h")):
    """Its files that end so, not those of folders in it."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(suffixes):
            yield f"{folder}/{name}"


def measure(path, problems, wide):
    lines = read(path, problems)
    for i, line in enumerate(lines, 1):
        if expanded(line) > COLUMNS_MAX:
            wide.append(f"{path}:{i}")
        if expanded(line) > COLUMNS_NEVER:
            problems.append(f"{path}:{i}: {expanded(line)} columns, never "
                            f"over {COLUMNS_NEVER}")
        if line.rstrip("\n") != line.rstrip():
            problems.append(f"{path}:{i}: blanks at the end of the line")
    found = [(n, path, *rest) for n, *rest in functions(lines)]
    for name, _, at, length, count in found:
        if length > FUNCTION_MAX:
            problems.append(f"{path}:{at}: {name}: {length} lines, at most "
                            f"{FUNCTION_MAX}")
        if count > PARAMETERS_MAX and name not in GIVEN.get(path, ()):
            problems.append(f"{path}:{at}: {name}: {count} parameters, at "
                            f"most {PARAMETERS_MAX}")
    return len(lines), found


def main():
    problems, wide, all_functions, files = [], [], [], []
    for folder in FOLDERS:
        for path in sources(folder):
            length, found = measure(path, problems, wide)
            files.append((length, path))
            all_functions += found
    for folder in TESTS:
        for path in sources(folder, (".c", ".h", ".py", ".sh")):
            read(path, problems)
    lines = sum(n for n, _ in files)
    if len(wide) > lines * COLUMNS_SHARE:
        problems.append(f"{len(wide)} lines over {COLUMNS_MAX} columns: "
                        + " ".join(wide))
    for p in problems:
        print(p)
    if not all_functions:
        print("metrics: no functions found")
        return 1
    lengths = sorted(f[3] for f in all_functions)
    worst = sorted(all_functions, key=lambda f: -f[3])[:5]
    print(f"metrics: {len(files)} files, {lines} lines, "
          f"{len(lengths)} functions, median "
          f"{statistics.median(lengths):.0f}, p90 "
          f"{lengths[len(lengths) * 9 // 10]}, "
          f"{len(wide)} wide lines, {len(problems)} problems")
    print("  longest functions: " + ", ".join(
        f"{f[0]} {f[3]} ({f[1]})" for f in worst))
    print("  longest files: " + ", ".join(
        f"{name} {n}" for n, name in sorted(files, reverse=True)[:3]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
