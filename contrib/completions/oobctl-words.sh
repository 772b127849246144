#!/bin/sh
# What may come next behind "oobctl WORD ...": for the completions of shells,
# which all ask here.  The last argument is the word under the cursor, maybe
# empty.  A line of the answer is a word and, behind a tab, what it means;
# ":file" and ":dir" stand for names of files and folders.
#
# It reads what "oobctl help" prints, so a new verb or option is known at
# once.  $OOBCTL is the program (oobctl).
set -u

oobctl=${OOBCTL:-oobctl}
socket=
logdir=

run() {
	if [ -n "$socket" ]; then
		"$oobctl" -s "$socket" "$@"
	else
		"$oobctl" "$@"
	fi 2>/dev/null </dev/null
}

verbs() {
	"$oobctl" help 2>/dev/null | awk '
	/^$/ { exit }
	/^  / {
		verb = $1
		sub(/^ +[^ ]+ +/, "")
		print verb "\t" $0
	}'
}

# The values of one member in what a verb prints as JSON, a line each.
members() {
	name=$1
	shift
	run "$@" --json | awk -v want="\"$name\":" '
	$1 == want {
		sub(/^[^:]*: */, "")
		gsub(/^"|",?$|,$/, "")
		print
	}'
}

consoles() {
	if [ -n "$logdir" ]; then
		for d in "$logdir"/*/; do
			test ! -e "${d}current" || basename "$d"
		done
	else
		members name list
	fi
}

lines() {
	printf '%s\n' "$@"
}

# What stands for a word in capitals of a usage line.
values() {
	case $1:$2 in
	*:CONSOLE)	consoles ;;
	*:VERB)		verbs ;;
	*:USER)		members user who; members user grant ;;
	*:ROLE)		lines viewer operator ;;
	export:ID)	lines last; members id status ;;
	*:ID)		members id who ;;
	relay:NAME)	members name relay status ;;
	*:T)		lines now -15min -1h -24h ;;
	*:DURATION)	lines 30min 1h 2h 4h ;;
	*:RATE)		lines 9600 19200 38400 57600 115200 ;;
	*:MODE)		lines 8N1 7E1 7O1 8N2 ;;
	*:FLOW)		lines none rtscts xonxoff ;;
	*:N)		lines 20 60 200 ;;
	*:X)		lines 1 2 4 16 ;;
	*:S)		lines 1 2 5 ;;
	*:FORMAT)	lines cast2 cast3 html script text ttyrec ;;
	*:SIZE)		lines 80x24 132x43 ;;
	*:CONFIG)	lines :file ;;
	esac
}

# Candidates from the usage line on stdin: words, and <NAME> for capitals.
from_usage() {
	awk -v typed="$1" '
	function is_name(w)	{ return w ~ /^[A-Z]+$/ }
	function is_option(w)	{ return w ~ /^-/ }
	# Into W[1..n], with D[i] the depth in brackets.
	function read_usage(s,	a, i, n, c) {
		gsub(/[][|]/, " & ", s)
		repeats = sub(/\.\.\./, "", s)
		c = split(s, a, " ")
		depth = 0
		n = 0
		for (i = 1; i <= c; i++) {
			if (a[i] == "[") { depth++; continue }
			if (a[i] == "]") { depth--; continue }
			W[++n] = a[i]
			D[n] = depth
		}
		return n
	}
	# The forms are what stands between bars outside of brackets; what
	# stands before the first plain word belongs to all of them.
	function forms(n,	i, seen) {
		count = 1
		seen = 0
		for (i = 1; i <= n; i++) {
			if (W[i] == "|" && D[i] == 0) {
				count++
				continue
			}
			if (W[i] == "|")
				continue
			if (!seen && D[i] == 0 && !is_name(W[i]) &&
			    !is_option(W[i]))
				seen = 1
			F[i] = seen ? count : 0
		}
		if (!seen)
			for (i = 1; i <= n; i++)
				F[i] = 0
	}
	function value_of(option,	i) {
		for (i = 1; i < total; i++)
			if (W[i] == option && is_name(W[i + 1]) &&
			    D[i + 1] == D[i] &&
			    (form == 0 || F[i] == 0 || F[i] == form))
				return W[i + 1]
		return ""
	}
	# The next word by its place: of the form f, behind used ones.
	function place(f, used,	i, skip) {
		skip = 0
		for (i = 1; i <= total; i++) {
			if (F[i] != f || W[i] == "|")
				continue
			if (is_option(W[i])) {
				skip = value_of(W[i]) != ""
				continue
			}
			if (skip) { skip = 0; continue }
			last_place = i
			if (used-- == 0)
				return i
		}
		return repeats && f == 0 ? last_place : 0
	}
	function show(w) {
		print is_name(w) ? "<" w ">" : w
	}
	{
		sub(/^usage: [^ ]+ ?/, "")
		total = read_usage($0)
		forms(total)
		form = 0
		used = 0
		wait = ""
		n = split(typed, T, "\n")
		for (i = 1; i <= n; i++) {
			if (T[i] == "")
				continue
			if (wait != "") { wait = ""; continue }
			if (T[i] in GONE == 0 && is_option(T[i])) {
				GONE[T[i]] = 1
				wait = value_of(T[i])
				continue
			}
			if (form == 0 && place(0, used) == 0)
				for (j = 1; j <= total; j++)
					if (F[j] > 0 && W[j] == T[i]) {
						form = F[j]
						used = -1
						break
					}
			used++
		}
		if (wait != "") {
			show(wait)
			exit
		}
		for (i = 1; i <= total; i++)
			if (is_option(W[i]) && !(W[i] in GONE) &&
			    (F[i] == 0 || F[i] == form))
				print W[i]
		# The form counts its own first word, too.
		p = form == 0 ? place(0, used) : place(form, used + 1)
		if (p > 0)
			show(W[p])
		# A form may begin once all that belongs to every form is there.
		if (form == 0 && p == 0)
			for (i = 1; i <= total; i++)
				if (F[i] > 0 && F[i] != last) {
					last = F[i]
					show(W[i])
				}
	}'
}

# Words of one verb; "$@" are those behind it, but the one being typed.
of_verb() {
	verb=$1
	shift
	typed=$(lines "$@")
	"$oobctl" help "$verb" 2>/dev/null | head -n 1 | grep '^usage: ' |
	    from_usage "$typed" |
	    while read -r word; do
		case $word in
		'<'*)
			word=${word#<}
			values "$verb" "${word%>}" ;;
		*)	printf '%s\n' "$word" ;;
		esac
	    done
}

# All candidates, whatever the word being typed begins with.
candidates() {
	while [ $# -gt 1 ]; do
		case $1 in
		-s | -D | -e)
			if [ $# -eq 2 ]; then
				case $1 in
				-s)	lines :file ;;
				-D)	lines :dir ;;
				-e)	lines off '^E' '^T' ;;
				esac
				return
			fi
			case $1 in
			-s)	socket=$2 ;;
			-D)	logdir=$2 ;;
			esac
			shift 2 ;;
		-*)	return ;;
		*)	break ;;
		esac
	done
	if [ $# -gt 1 ]; then
		verb=$1
		shift
		# All but the last.
		n=$#
		while [ "$n" -gt 1 ]; do
			set -- "$@" "$1"
			shift
			n=$((n - 1))
		done
		shift
		of_verb "$verb" "$@"
	elif [ -n "$logdir" ]; then
		verbs | grep -e '^grep	' -e '^log	' -e '^replay	' -e '^verify	' \
		    -e '^export	' -e '^last	'
	else
		verbs
		printf '%s\t%s\n' -s "control socket" -D "folder of journals" \
		    -e "lead-in of the escape keys" --version "its version"
	fi
}

test $# -ge 1 || set -- ''
for current; do :; done
# A dash asks for options, nothing for all else; ":file" always passes.
candidates "$@" | awk -v w="$current" '
substr($0, 1, 1) == ":"	{ print; next }
substr($0, 1, length(w)) != w { next }
w == "" && /^--?[A-Za-z]/ { later = later $0 "\n"; next }
{ print; n++ }
END {
	# Options where there is nothing else to say.
	if (n == 0)
		printf "%s", later
}'
