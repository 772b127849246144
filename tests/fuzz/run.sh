#!/bin/sh
# Run build-fuzz/fuzz/NAME for so many seconds each, two at a time, on a copy
# of its seeds: sh tests/fuzz/run.sh SECONDS NAME ...  What failed is printed;
# the last line is "fuzz: N passed, M failed".
set -u
cd "$(dirname "$0")/../.." || exit 1

T=$1
shift
dir=$(mktemp -d) || exit 1
found=build-fuzz/found
mkdir -p "$found"
export T dir found
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

# shellcheck disable=SC2016
printf '%s\n' "$@" | xargs -n 1 -P 2 sh -c '
	mkdir "$dir/$1"
	cp tests/fuzz/corpus/"$1"/* "$dir/$1/" 2>"$dir/$1.log" &&
	    build-fuzz/fuzz/"$1" -max_total_time="$T" -timeout=10 \
	    -rss_limit_mb=1024 -print_final_stats=1 \
	    -artifact_prefix="$found/$1-" "$dir/$1" >"$dir/$1.log" 2>&1
	echo $? >"$dir/$1.status"' run

passed=0 failed=0
for name; do
	if [ "$(cat "$dir/$name.status")" = 0 ]; then
		passed=$((passed + 1))
		printf '%-12s %s\n' "$name" "$(sed -n \
		    's/^stat::number_of_executed_units: /executions: /p' \
		    "$dir/$name.log")"
	else
		failed=$((failed + 1))
		echo "--- $name failed; what it found is in $found"
		tail -n 60 "$dir/$name.log"
	fi
done
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
