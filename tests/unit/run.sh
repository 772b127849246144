#!/bin/sh
# Run the given cmocka programs, six at a time: most of them wait most of the
# time.  What failed is printed in full; the last line is "unit: N passed, M failed", counting test cases.
# A program that crashed, hung or ran no test counts as a failure.
set -u

LIMIT=${UNIT_TIMEOUT:-300}
export LIMIT
dir=$(mktemp -d) || exit 1
export dir
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

if [ $# -eq 0 ]; then
	echo "unit: 0 passed, 1 failed"
	exit 1
fi

printf '%s\n' "$@" | xargs -n 1 -P 6 sh -c '
	out=$dir/$(basename "$1")
	timeout -k 5 "$LIMIT" "$1" >"$out.log" 2>&1 </dev/null
	echo $? >"$out.status"' run

count() {
	grep -c "^\[ *$1 *\]" "$2"
}

passed=0 failed=0
for program; do
	log=$dir/$(basename "$program").log
	status=$(cat "$dir/$(basename "$program").status" 2>/dev/null)
	[ -f "$log" ] || : >"$log"
	begun=$(count RUN "$log")
	good=$(count OK "$log")
	# Its summary lists them once more.
	skipped=$(sed '/^\[=*\] [0-9]* test(s) run/q' "$log" |
	    grep -c "^\[ *SKIPPED *\]")
	bad=$((begun - good - skipped))
	why="status ${status:-unknown}"
	[ "${status:-1}" = 124 ] && why="took more than $LIMIT s"
	if [ "$begun" -eq 0 ]; then
		why="$why, no test was run"
		bad=1
	elif [ "${status:-1}" != 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	if [ "$bad" -ne 0 ]; then
		echo "--- $program: $bad failed, $why"
		cat "$log"
	elif [ "$skipped" -ne 0 ]; then
		echo "--- $program: $skipped skipped"
		grep "^\[ *SKIPPED *\]" "$log"
	fi
done

echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
