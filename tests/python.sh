#!/bin/sh
# Print the first python3 that has what the tests import: another one may
# stand before the system's in PATH.  $PYTHON is tried first.
IFS=:
for p in ${PYTHON:+"$PYTHON"} $PATH /usr/bin /usr/local/bin; do
	test -d "$p" && p=$p/python3
	"$p" -c 'import pytest, xdist, pytest_timeout, paramiko' 2>/dev/null || continue
	printf '%s\n' "$p"
	exit 0
done
echo "no python3 here can import pytest, xdist, pytest_timeout and paramiko:" \
    "run sh contrib/bootstrap.sh check" >&2
exit 1
