#!/bin/sh
# The owner's phone and wallet in the demo, which leaves this in its folder as
# "demo" with the settings that are missing here:
#
#	demo sms WORD ...	send it to the box and wait for the answer; the
#				word CODE becomes the next code
#	demo stranger WORD ...	the same from a number that nobody knows
#	demo phone		every message that the box has sent
#	demo codes		the next codes on the sheet of paper
#
# "sms" exits 1 when no answer came.
set -u
S=
BUILD=
OWNER=
STRANGER=+46709876543
PATIENCE=30			# seconds for an answer

tell() {
	"$BUILD/oobsim" tell "$S/modem.sock" "$@"
}

# One a line, longer ones with the rest below; the newest N only.
messages() {
	tell sent text | sed -e 's/ | \(+[0-9]*: \)/\
\1/g' -e '/^none$/d' | tail -n "$1" | sed 's/\\x0a/\
    /g'
}

count() {
	tell stat | tr ' ' '\n' | sed -n 's/^sent=//p'
}

codes() {
	"$BUILD/oobctl" code -f "$S/oobd.conf" list demo --paper "$1" |
	    grep -E -o '[0-9]{8}'
}

# send NUMBER WORD ...
send() {
	number=$1
	shift
	for word; do
		shift
		test "$word" != CODE || word=$(codes 1)
		set -- "$@" "$word"
	done
	before=$(count)
	echo "demo: SMS from $number: $*"
	tell text "$number" "$*" >/dev/null || exit 1
	n=0
	while [ "$(count)" -eq "$before" ]; do
		if [ $n -eq $PATIENCE ]; then
			echo "demo: no answer within $PATIENCE s"
			exit 1
		fi
		sleep 1
		n=$((n + 1))
	done
	messages $(($(count) - before))
}

usage() {
	sed -n '5,9s/^#//p' "$0" >&2
	exit 2
}

verb=${1-}
test $# -eq 0 || shift
case $verb in
sms)
	test $# -ge 1 || usage
	send "$OWNER" "$@"
	;;
stranger)
	test $# -ge 1 || usage
	PATIENCE=5
	send $STRANGER "$@"
	;;
phone)	messages 1000 ;;
codes)	codes 10 ;;
*)	usage ;;
esac
