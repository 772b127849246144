#!/bin/sh
# Everything that can be said about the sources without running them.
# Ends with "lint: N passed, M failed".  A tool that is missing is a failure.
#
#	sh tests/lint/run.sh [STEP ...]
set -u
cd "$(dirname "$0")/../.." || exit 1

PYTHON=$(sh tests/python.sh) || exit 1
TIDY=${TIDY:-clang-tidy}
passed=0
failed=0

# What the compiler gets; tidy must see what make sees.
flags() {
	echo "-std=c11 -D_GNU_SOURCE -I. -DOOBD_VERSION=\"0\"" \
	    "-DPREFIX=\"/usr/local\""
}

# C files of the daemon and the tools that this system compiles.
sources() {
	find server serial auth modem contrib/sim -name '*.c' 2>/dev/null |
	    case $(uname -s) in
	    FreeBSD)	grep -v '_linux\.c$' ;;
	    *)		grep -v -e '_freebsd\.c$' ;;
	    esac | sort
}

headers() {
	find server serial auth modem contrib/sim -name '*.h' 2>/dev/null | sort
}

scripts() {
	find contrib tests .ci -name '*.sh' -o -path '.ci/run' | sort
}

step_includes() {
	$PYTHON tests/lint/includes.py
}

step_metrics() {
	$PYTHON tests/lint/metrics.py
}

# Each header stands by itself, and is guarded.
step_headers() {
	bad=0
	for h in $(headers); do
		# shellcheck disable=SC2046
		echo "#include \"$h\"" | ${CC:-cc} $(flags) -Wall -Wextra \
		    -Wpedantic -fsyntax-only -x c - || bad=1
		grep -q '^#ifndef [A-Z_]*_H$' "$h" || {
			echo "$h: no include guard"
			bad=1
		}
	done
	return $bad
}

# Programs of the tests: some of them only the last suite of all compiles.
# clang, unlike gcc, says all that it has to say without making code.
step_programs() {
	warn=$(${MAKE:-make} -s warnings) || return 1
	# shellcheck disable=SC2046
	find tests -name '*.c' |
	    case $(uname -s) in
	    FreeBSD)	grep -v -e '^tests/shim/' -e '^tests/lab/' ;;
	    *)		cat ;;
	    esac | sort | xargs -n 8 -P 2 \
	    ${CLANG:-clang} $(flags) $warn -fsyntax-only
}

# No variable that other files can change: const tables only.
step_globals() {
	found=$(find build -name '*.o' ! -path 'build/tests/*' \
	    -exec objdump -t {} + 2>/dev/null |
	    awk '/file format/ { f = $1 }
	    $2 == "g" && $3 == "O" && ($4 == ".data" || $4 == ".bss") {
		print f, $NF }')
	test -n "$(find build -name '*.o' | head -n 1)" || {
		echo "nothing is built: run make first"
		return 1
	}
	test -z "$found" || {
		echo "$found"
		return 1
	}
}

# Unfinished business has no place in what is handed over.
step_words() {
	# The words are split so that this line does not find itself; a time
	# zone in a test may be called so.
	found=$(grep -rnwE 'X''XX|TO''DO|FIX''ME|HA''CK' \
	    --include='*.[ch158]' --include='*.sh' --include='*.py' \
	    --include='*.md' --include='*.mk' --include=Makefile server \
	    serial auth contrib docs tests Makefile README.md CHANGELOG.md |
	    grep -v '"X''XX-')
	test -z "$found" || {
		echo "$found"
		return 1
	}
}

step_tidy() {
	command -v "$TIDY" >/dev/null || {
		echo "$TIDY: not found"
		return 1
	}
	# The way to a finding fills pages: run it by hand for that.
	sources | xargs -n 4 -P 2 sh -c '
		tidy=$1
		flags=$2
		shift 2
		out=$("$tidy" --quiet "$@" -- $flags 2>/dev/null) || {
			echo "$out" | grep -aE "(error|warning): "
			exit 1
		}
	' sh "$TIDY" "$(flags)"
}

step_cppcheck() {
	# shellcheck disable=SC2046
	cppcheck --quiet -j 2 --language=c --std=c11 --inline-suppr --error-exitcode=1 \
	    --enable=warning,portability,performance -D_GNU_SOURCE \
	    -DOOBD_VERSION='"0"' -DPREFIX='"/usr/local"' \
	    --suppressions-list="$plain" $(sources)
}

step_man() {
	bad=0
	for page in docs/*.[158]; do
		test -f "$page" || {
			echo "no man pages in docs/"
			return 1
		}
		mandoc -Tlint -W warning "$page" || bad=1
	done
	return $bad
}

step_scripts() {
	bad=0
	for s in $(scripts); do
		sh -n "$s" || bad=1
	done
	find tests contrib -name '*.py' -exec "$PYTHON" -c '
import ast, sys
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as f:
        ast.parse(f.read(), name)
' {} + || bad=1
	return $bad
}

run() {
	if out=$("step_$1" 2>&1); then
		passed=$((passed + 1))
		printf 'ok     %s\n' "$1"
		# What a step says about itself even when all is well.
		printf '%s\n' "$out" | grep -E '^(includes|metrics|  longest)'
	else
		failed=$((failed + 1))
		printf 'FAILED %s\n' "$1"
		printf '%s\n' "$out" | sed 's/^/       /' | head -n 200
	fi
}

# cppcheck takes no comments with blanks in them.
plain=$(mktemp) || exit 1
trap 'rm -f $plain' EXIT
grep -v -e '^#' -e '^$' tests/lint/cppcheck.txt > "$plain"

if [ $# -eq 0 ]; then
	set -- includes metrics headers programs globals words scripts man cppcheck tidy
fi
for step in "$@"; do
	run "$step"
done
echo "lint: $passed passed, $failed failed"
test "$failed" -eq 0
