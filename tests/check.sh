#!/bin/sh
# Every suite.  Each prints its own line when it is through; what a suite that
# failed had to say is shown in full.  The last line is
#
#	N passed, N failed
#
# over all of them; suites run side by side in three lanes.  A suite that
# cannot run, finds no tests or takes too long is a failure, not a hole.
#
#	sh tests/check.sh [SUITE ...]
#
# T=10: seconds for each fuzz target; SOAK=600: seconds of the soak, which is
# the same each time but for SEED.
# sh contrib/bootstrap.sh check installs what this needs, first.
set -u
cd "$(dirname "$0")/.." || exit 1

MAKE=${MAKE:-make}
PYTHON=$(sh tests/python.sh) || exit 1
T=${T:-10}
SOAK=${SOAK:-600}
LOGS=build/check
JOBS=2
E2E_JOBS=${E2E_JOBS:-4}	# they mostly wait
LAB_JOBS=${LAB_JOBS:-2}	# guests at a time
# Some tests count on it: no surprises from the caller's settings.
unset OOBD_BUILD OOBD_PATIENCE SAN
export LC_ALL=C.UTF-8 TZ=UTC

# pytest's own count from its XML report: "passed failed skipped".
xml_count() {
	"$PYTHON" - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree

try:
    suites = tree.parse(sys.argv[1]).getroot().iter("testsuite")
    n = {k: 0 for k in ("tests", "failures", "errors", "skipped")}
    for s in suites:
        for k in n:
            n[k] += int(s.get(k, 0))
except (OSError, tree.ParseError):
    print(0, 0, 0)
else:
    bad = n["failures"] + n["errors"]
    print(max(0, n["tests"] - bad - n["skipped"]), bad, n["skipped"])
END
}

# And all that several of the others look for, who must not make it at once.
suite_gcc() {
	$MAKE -j $JOBS CC="${GCC:-gcc}" all shims build/tests/ppp_driver &&
	    $MAKE player && echo "gcc: 1 passed, 0 failed"
}

suite_clang() {
	$MAKE -j $JOBS CC="${CLANG:-clang}" B=build-clang all &&
	    echo "clang: 1 passed, 0 failed"
}

suite_install() {
	to=$PWD/$LOGS/destdir
	rm -rf "$to"
	$MAKE install DESTDIR="$to" PREFIX=/usr/local &&
	    "$to/usr/local/bin/oobsim" --version &&
	    "$to/usr/local/bin/oobctl" help >/dev/null &&
	    test -x "$to/usr/local/sbin/oobd" &&
	    test -f "$to/usr/local/share/man/man8/oobd.8" &&
	    $MAKE uninstall DESTDIR="$to" PREFIX=/usr/local &&
	    test -z "$(find "$to" -type f)" &&
	    echo "install: 1 passed, 0 failed"
}

suite_lint() {
	PYTHON=$PYTHON sh tests/lint/run.sh
}

suite_unit() {
	$MAKE -j $JOBS unit-programs && $MAKE unit
}

suite_unit_san() {
	$MAKE -j $JOBS SAN=1 unit-programs &&
	    OOBD_PROPERTY_MB=10 $MAKE SAN=1 unit
}

# The SSH front is fuzzed among the e2e tests.
suite_fuzz() {
	$MAKE fuzz-parsers T="$T"
}

# Tests side by side, see tests/e2e/spread.py: each has its own folder and
# port.
suite_e2e() {
	$MAKE -j $JOBS all shims player || return 1
	run_pytest e2e 2400 -n "$E2E_JOBS" --dist loadfile tests/e2e
}

# Leaks are for valgrind to find: the processes are not to be traced, which
# the leak sanitizer needs.
# The same against the sanitizers' build, slower and so more patient; what
# measures time or only looks at the simulator is left out.
suite_e2e_san() {
	$MAKE -j $JOBS SAN=1 all shims || return 1
	OOBD_BUILD=build-san OOBD_PATIENCE=40 \
	    ASAN_OPTIONS=abort_on_error=1:detect_leaks=0 \
	    UBSAN_OPTIONS=print_stacktrace=1 \
	    run_pytest e2e_san 2400 -n "$E2E_JOBS" --dist loadfile \
	    --ignore-glob="tests/e2e/test_sim*.py" \
	    --ignore=tests/e2e/test_demo.py \
	    -m "not slow" tests/e2e
}

suite_soak() {
	$MAKE -j $JOBS all && $MAKE soak T="$SOAK" SEED="${SEED:-7}"
}

# A guest uses a core while it boots, and then hardly any.
suite_lab() {
	$MAKE -j $JOBS all player build/tests/ppp_driver || return 1
	run_pytest lab 1500 -n "$LAB_JOBS" --dist loadfile tests/lab
}

# run_pytest NAME SECONDS ARGUMENTS: one of its own summary lines at the end.
# Up to RETRIES tests that failed get one more try, alone: two cores full of
# other tests can make a deadline unfair.  It is said which those were.
RETRIES=3
run_pytest() {
	name=$1
	limit=$2
	shift 2
	xml=$LOGS/$name.xml
	cache=$PWD/$LOGS/$name.cache
	rm -rf "$xml" "$cache"
	timeout -k 30 "$limit" "$PYTHON" -m pytest -q -ra \
	    -o cache_dir="$cache" --timeout=240 --junitxml="$xml" "$@"
	status=$?
	# shellcheck disable=SC2046
	set -- $(xml_count "$xml") "$@"
	good=$1
	bad=$2
	skipped=$3
	shift 3
	if [ $status -eq 1 ] && [ "$bad" -ge 1 ] &&
	    [ "$bad" -le $RETRIES ]; then
		try_alone "$@"
	fi
	test "$skipped" -eq 0 || echo "$name: $skipped skipped"
	echo "$name: $good passed, $bad failed"
	test $status -eq 0
}

try_alone() {
	echo "== $bad of $name failed beside others; alone:"
	timeout -k 30 "$limit" "$PYTHON" -m pytest -ra --tb=short \
	    -o cache_dir="$cache" --timeout=240 --junitxml="$xml" \
	    --last-failed --last-failed-no-failures none "$@" -n 0
	status=$?
	# shellcheck disable=SC2046
	set -- $(xml_count "$xml")
	test $(($1 + $2)) -eq "$bad" || status=1
	good=$((good + $1))
	test "$1" -eq 0 || echo "$name: $1 passed only alone"
	bad=$2
}

# The numbers of a suite's last "name: N passed, M failed"; none is 0 0.
summary() {
	sed -n 's/^[a-z0-9_-]*: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' \
	    "$1" | tail -n 1
}

# One suite: its own line at the end, and its numbers into a file.
run() {
	log=$LOGS/$1.log
	printf '== %s\n' "$1"
	begun=$(date +%s)
	(suite_"$1") >"$log" 2>&1 </dev/null
	status=$?
	took=$(($(date +%s) - begun))
	# shellcheck disable=SC2046
	set -- "$1" $(summary "$log")
	good=${2:-0}
	bad=${3:-0}
	skipped=$(sed -n "s/^$1: \([0-9]*\) skipped$/, \1 skipped/p" "$log")
	alone=$(sed -n "s/^$1: \([0-9]* passed only alone\)$/, \1/p" "$log")
	why=
	if [ "$bad" -eq 0 ] && [ "$status" -ne 0 ]; then
		bad=1
		why=" (it could not run to its end: status $status)"
	elif [ "$bad" -eq 0 ] && [ "$good" -eq 0 ]; then
		bad=1
		why=" (no test was run)"
	fi
	if [ "$bad" -ne 0 ] || [ -n "$alone" ]; then
		cat "$log"
	fi
	line=$(printf '%-9s %5d passed, %d failed%s%s, %d s%s' "$1" "$good" \
	    "$bad" "$skipped" "$alone" "$took" "$why")
	printf '%s\n' "$line"
	printf '%s %s\n%s\n' "$good" "$bad" "$line" >"$LOGS/$1.result"
}

# Those of the wanted suites that are in this lane, one after the other.
lane() {
	lane_of=$1
	for suite in $wanted; do
		case " $lane_of " in
		*" $suite "*)	run "$suite" ;;
		esac
	done
}

# Three lanes side by side: what mostly waits, twice, and what only computes,
# which takes what is left over.  All need what the first suite builds.
FIRST="gcc"
TIMED="unit unit_san e2e e2e_san"
BESIDE="lab soak"
SPARE="clang install lint fuzz"

mkdir -p $LOGS || exit 1
wanted=${*:-$FIRST $TIMED $BESIDE $SPARE}
for suite in $wanted; do
	case " $FIRST $TIMED $BESIDE $SPARE " in
	*" $suite "*)	rm -f "$LOGS/$suite.result" ;;
	*)		echo "check: no suite $suite: there are" \
			    "$FIRST $TIMED $BESIDE $SPARE" >&2
			exit 2 ;;
	esac
done
lane "$FIRST"
(
	# This subshell itself; $$ is the shell it came from.
	renice -n 19 "$(exec sh -c 'echo "$PPID"')" >/dev/null
	lane "$SPARE"
) &
spare=$!
lane "$BESIDE" &
beside=$!
trap 'kill $spare $beside 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
lane "$TIMED"
wait $spare $beside

passed=0
failed=0
echo
for suite in $wanted; do
	if [ -f "$LOGS/$suite.result" ]; then
		{ read -r good bad && read -r line; } <"$LOGS/$suite.result"
	else
		good=0
		bad=1
		line="$suite: did not run"
	fi
	printf '%s\n' "$line"
	passed=$((passed + good))
	failed=$((failed + bad))
done
printf '%d passed, %d failed\n' "$passed" "$failed"
test "$failed" -eq 0
