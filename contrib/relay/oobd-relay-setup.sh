#!/bin/sh
# Makes a machine with a stock OpenSSH server a relay for oobd boxes, and
# keeps the list of who may listen where.  One file, POSIX sh; copy it to the
# relay and run it there as root.  docs/relay.md tells the whole story.
#
#	oobd-relay-setup.sh [OPTION...] VERB ...
#
#	init [--port N]... [--public]	account, sshd_config.d snippet
#	add-box [--own] NAME PORT...	key line on stdin; PORT "auto": a free one
#	remove-box NAME
#	add-admin NAME [BOX...]		key line on stdin; no BOX: all of them
#	remove-admin NAME
#	list [--down]			boxes, ports, listening or not, key
#	host-key			lines for host_key of the box
#	box-conf NAME			relay section for the box's oobd.conf
#	config				print the snippet, change nothing
#	check				everything that can be told from here
#
# OPTION:
#	--root DIR	a whole relay of its own in DIR, for rehearsals: no
#			account is made, any user may run it; start it with
#			sshd -f DIR/etc/ssh/sshd_config
#	--account NAME	of the boxes (oob)	--admin NAME	of the admins
#	--host NAME	as boxes call this relay	--base N	of "auto"
set -u
umask 022
LC_ALL=C
export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

root=
account=
admin=
host=
base=
ports=
public=
tmp=

say() {
	printf 'relay-setup: %s\n' "$*" >&2
}

die() {
	say "$*"
	exit 1
}

usage() {
	sed -n '6,26s/^#//p' "$0" >&2
	exit 2
}

clean_up() {
	test -z "$tmp" || rm -f "$tmp"
	test -z "$locked" || rmdir "$locked"
}

locked=
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# Paths, once the options are known.

paths() {
	test -z "$root" || {
		mkdir -p "$root" || die "$root: cannot make it"
		root=$(cd "$root" && pwd) || exit 1
	}
	etc=$root/etc/ssh
	main=$etc/sshd_config
	snippet=$etc/sshd_config.d/50-oobd-relay.conf
	keys=$etc/oobd-relay
	settings=$keys/.settings
	: "${account:=$(setting account)}" "${admin:=$(setting admin)}"
	: "${host:=$(setting host)}" "${base:=$(setting base)}"
	: "${public:=$(setting public)}"
	if [ -n "$root" ]; then
		: "${account:=$(id -un)}" "${admin:=$account}"
	fi
	: "${account:=oob}" "${admin:=oobadmin}" "${base:=20000}"
	: "${public:=no}"
}

# What init was told, for later runs.
setting() {
	test -f "$settings" || return 0
	sed -n "s/^$1=//p" "$settings"
}

need_init() {
	test -f "$snippet" || die "$snippet is not there: run init first"
}

# One at a time: two that write the same list would lose a line.
lock() {
	n=0
	until mkdir "$keys/.lock" 2>/dev/null; do
		n=$((n + 1))
		test $n -lt 50 ||
		    die "$keys/.lock: another one runs; if not, remove it"
		sleep 0.2
	done
	locked=$keys/.lock
}

# replace FILE MODE: by what stands in $tmp, whole or not at all.
replace() {
	chmod "$2" "$tmp" || die "$1: cannot write"
	mv -f "$tmp" "$1" || die "$1: cannot write"
	tmp=
}

new_tmp() {
	tmp=$(mktemp "$1/.new.XXXXXX") || die "$1: cannot write there"
}

# Words that end up in files: names, ports.

check_name() {
	case $1 in
	'' | [!A-Za-z0-9]* | *[!A-Za-z0-9._-]*)
		die "name '$1': letters, digits, and . _ - behind the first" ;;
	esac
	test ${#1} -le 32 || die "name '$1': longer than 32"
}

check_number() {
	case $1 in
	'' | *[!0-9]* | ??????*) die "port '$1': not a number" ;;
	esac
	if [ "$1" -lt "$2" ] || [ "$1" -gt 65535 ]; then
		die "port $1: from $2 to 65535"
	fi
}

# The first key on stdin as "TYPE BASE64"; options before it and the comment
# behind it are not taken: what a key may do is written here.
read_key() {
	awk '
	/^[ \t]*#/ { next }
	{
		for (i = 1; i < NF; i++)
			if ($i ~ /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp[0-9]+)$/ \
			    && $(i + 1) ~ /^AAAA[A-Za-z0-9+\/]+=*$/) {
				print $i, $(i + 1)
				exit
			}
	}'
}

get_key() {
	test ! -t 0 || say "paste the public key line, then ^D"
	key=$(read_key)
	test -n "$key" || die "no public key on stdin: give the line that" \
	    "\"oobctl relay keygen\" printed"
	printf '%s\n' "$key" | ssh-keygen -l -f - >/dev/null 2>&1 ||
	    die "the key is damaged: ssh-keygen cannot read it"
}

# The snippet.

print_ports() {
	test -n "$ports" || ports=$(setting ports)
	for p in $ports; do
		echo "Port $p"
	done
	test -z "$ports" || echo
}

print_config() {
	test "$public" = yes && gateway=yes || gateway=no
	boxes=$account
	admin_block=true
	if [ "$account" = "$admin" ]; then
		admin_block=false	# a rehearsal: one account for both
	else
		boxes="$account,$account-*"
	fi
	cat <<END
# A relay for oobd boxes.  Made by oobd-relay-setup.sh: change it there.
END
	print_ports
	cat <<END
# All boxes come back at once when this machine or its network returns.
MaxStartups 200:30:1000
LoginGraceTime 30

# Boxes: they may listen on, and open for their self-test, what their key's
# line says (permitlisten, permitopen); nothing else.
Match User $boxes
	AuthorizedKeysFile $keys/%u
	AuthenticationMethods publickey
	AllowTcpForwarding yes
	PermitListen localhost:*
	PermitOpen localhost:*
	GatewayPorts $gateway
	AllowStreamLocalForwarding no
	AllowAgentForwarding no
	X11Forwarding no
	PermitTunnel no
	PermitTTY no
	PermitUserRC no
	MaxSessions 0
	ForceCommand /bin/false
	# A box that vanished gives its port back within 90 s.
	ClientAliveInterval 15
	ClientAliveCountMax 2
END
	$admin_block || return 0
	cat <<END

# Admins: on to the boxes (ProxyJump), nothing else.
Match User $admin
	AuthorizedKeysFile $keys/%u
	AuthenticationMethods publickey
	AllowTcpForwarding local
	PermitOpen localhost:*
	AllowStreamLocalForwarding no
	AllowAgentForwarding no
	X11Forwarding no
	PermitTunnel no
	PermitTTY no
	PermitUserRC no
	MaxSessions 0
	ForceCommand /bin/false
	ClientAliveInterval 30
	ClientAliveCountMax 3
END
}

# Accounts: no password, no shell, no home.

have_account() {
	id "$1" >/dev/null 2>&1
}

nologin() {
	for s in /usr/sbin/nologin /sbin/nologin /bin/false; do
		test -x "$s" && echo "$s" && return
	done
}

make_account() {
	test -z "$root" || return 0
	have_account "$1" && return 0
	if command -v useradd >/dev/null; then
		# "*" and not "!": sshd refuses a locked account.
		useradd -r -M -d /nonexistent -s "$(nologin)" -p '*' "$1"
	elif command -v pw >/dev/null; then
		pw useradd "$1" -d /nonexistent -s "$(nologin)" -h -
	elif command -v adduser >/dev/null; then
		adduser -S -D -H -h /nonexistent -s "$(nologin)" "$1" &&
		    sed -i "s/^$1:!/$1:*/" /etc/shadow
	else
		false
	fi || die "cannot make account $1"
	say "made account $1"
}

remove_account() {
	test -z "$root" || return 0
	have_account "$1" || return 0
	if command -v userdel >/dev/null; then
		userdel "$1"
	elif command -v pw >/dev/null; then
		pw userdel "$1"
	else
		deluser "$1"
	fi || say "cannot remove account $1"
}

# init

# A relay of its own: host key and main file, in the scratch folder only.
init_scratch() {
	test -n "$root" || return 0
	mkdir -p "$etc" || die "$etc: cannot make it"
	test -f "$etc/ssh_host_ed25519_key" ||
	    ssh-keygen -q -t ed25519 -N '' -C relay \
	    -f "$etc/ssh_host_ed25519_key" || die "ssh-keygen failed"
	test -f "$main" || cat > "$main" <<END
Include $etc/sshd_config.d/*.conf
ListenAddress 127.0.0.1
HostKey $etc/ssh_host_ed25519_key
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AllowUsers $account $admin
END
}

# Port in the snippet replaces the default 22, so it has to be said, too,
# where the main file does not.
keep_default_port() {
	test -n "$ports" || return 0
	test -z "$root" || return 0
	grep -qi '^[[:space:]]*port[[:space:]]' "$main" 2>/dev/null ||
	    case " $ports " in
	    *' 22 '*) ;;
	    *) ports="22 $ports" ;;
	    esac
}

include_snippet() {
	# Without Include the whole snippet would be dead letters.
	grep -qi '^[[:space:]]*include[[:space:]].*sshd_config\.d/' "$main" &&
	    return 0
	new_tmp "$etc"
	{
		echo "Include $etc/sshd_config.d/*.conf"
		cat "$main"
	} > "$tmp"
	replace "$main" 644
	say "$main: put an Include line at its top"
}

verb_init() {
	while [ $# -gt 0 ]; do
		case $1 in
		--port)
			check_number "${2-}" 1
			ports="$ports${ports:+ }$2"
			shift ;;
		--public) public=yes ;;
		*) usage ;;
		esac
		shift
	done
	check_name "$account"
	check_name "$admin"
	if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
		die "init needs root, or --root DIR for a rehearsal"
	fi
	test -n "$root" || test -f "$main" ||
	    die "$main: not there: install the OpenSSH server first"
	test -n "$ports" || ports=$(setting ports)
	: "${host:=$(hostname)}"
	keep_default_port
	init_scratch
	make_account "$account"
	make_account "$admin"
	mkdir -p "$keys" "$etc/sshd_config.d" || exit 1
	lock
	new_tmp "$keys"
	printf '%s\n' "account=$account" "admin=$admin" "host=$host" \
	    "base=$base" "public=$public" "ports=$ports" > "$tmp"
	replace "$settings" 644
	new_tmp "$etc/sshd_config.d"
	print_config > "$tmp"
	replace "$snippet" 644
	include_snippet
	touch "$keys/$account" "$keys/$admin"
	test_config || die "sshd does not take it: $snippet"
	say "$snippet is in place; make sshd read it:"
	say "  systemctl reload ssh || service sshd reload"
}

# Boxes.  A line: restrict,port-forwarding,permitlisten="localhost:PORT",
# permitopen="localhost:PORT" TYPE KEY NAME

# "FILE PORTS NAME" of every box.
boxes() {
	for f in "$keys/$account" "$keys/$account"-*; do
		test -f "$f" || continue
		sed -n 's/^restrict,.* \([^ ]*\)$/\1 &/p' "$f" | awk -v f="$f" '
		{
			line = $2
			ports = ""
			while (match(line, /permitlisten="[^"]*"/)) {
				p = substr(line, RSTART, RLENGTH)
				sub(/^.*:/, "", p)
				sub(/"$/, "", p)
				ports = ports (ports == "" ? "" : ",") p
				line = substr(line, RSTART + RLENGTH)
			}
			if (ports != "1")	# an admin in a rehearsal
				print f, ports, $1
		}'
	done
}

box_of_port() {
	boxes | awk -v p="$1" '{
		n = split($2, a, ",")
		for (i = 1; i <= n; i++)
			if (a[i] == p) { print $3; exit }
	}'
}

# free_port TAKEN: of "auto"; TAKEN are those that this box gets just now.
free_port() {
	{
		boxes
		echo "- $(echo "$1" | tr ' ' ,) -"
	} | awk -v base="$base" '
	{ n = split($2, a, ","); for (i = 1; i <= n; i++) used[a[i]] = 1 }
	END { while (base in used) base++; print base }'
}

verb_add_box() {
	own=false
	if [ "${1-}" = --own ]; then
		own=true
		shift
	fi
	test $# -ge 2 || usage
	need_init
	name=$1
	shift
	check_name "$name"
	get_key
	lock
	test -z "$(boxes | awk -v n="$name" '$3 == n')" ||
	    die "box $name is there already: remove-box first"
	if boxes | cut -d ' ' -f 1 | sort -u |
	    xargs cat /dev/null | grep -qF " $key "; then
		die "this key is another box's already: one key, one box"
	fi
	may=
	got=
	for p; do
		if [ "$p" = auto ]; then
			p=$(free_port "$got")
		elif [ "$p" = any ] && $own; then
			p='*'
		fi
		test "$p" = '*' || check_number "$p" 1024
		taken=$(box_of_port "$p")
		if [ -n "$taken" ] && [ "$p" != '*' ]; then
			die "port $p is box $taken's"
		fi
		case " $got " in
		*" $p "*) die "port $p: given twice" ;;
		esac
		may="$may,permitlisten=\"localhost:$p\""
		may="$may,permitopen=\"localhost:$p\""
		got="$got $p"
	done
	file=$keys/$account
	if $own; then
		check_name "$account-$name"
		make_account "$account-$name"
		file=$keys/$account-$name
	fi
	append "$file" "restrict,port-forwarding$may $key $name"
	say "box $name: port$got; in its oobd.conf:"
	print_box_conf "$name"
}

append() {
	new_tmp "$keys"
	test ! -f "$1" || cat "$1" > "$tmp"
	printf '%s\n' "$2" >> "$tmp"
	replace "$1" 644
}

# take_out FILE NAME
take_out() {
	new_tmp "$keys"
	awk -v n="$2" '$NF != n' "$1" > "$tmp"
	replace "$1" 644
}

verb_remove_box() {
	test $# -eq 1 || usage
	need_init
	lock
	file=$(boxes | awk -v n="$1" '$3 == n { print $1; exit }')
	test -n "$file" || die "no box '$1': list shows them"
	if [ "$file" = "$keys/$account" ]; then
		take_out "$file" "$1"
		say "box $1 is gone; a connection it has stays until it ends:"
		say "  find it with list, end its sshd by its process id"
	else
		rm -f "$file"
		remove_account "${file##*/}"
		say "box $1 and its account are gone"
	fi
}

verb_add_admin() {
	test $# -ge 1 || usage
	need_init
	name=$1
	shift
	check_name "$name"
	get_key
	lock
	test -z "$(awk -v n="$name" '$NF == n' "$keys/$admin")" ||
	    die "$name is there already: remove-admin first"
	may=
	for b; do
		of=$(boxes | awk -v n="$b" '$3 == n { print $2; exit }')
		test -n "$of" || die "no box '$b': list shows them"
		for p in $(echo "$of" | tr , ' '); do
			may="$may,permitopen=\"localhost:$p\""
		done
	done
	test -n "$may" || may=',permitopen="localhost:*"'
	# Port 1 nobody but root can have: no listening, wherever this stands.
	append "$keys/$admin" \
	    "restrict,port-forwarding,permitlisten=\"localhost:1\"$may $key $name"
	say "admin $name may go on to: ${*:-every box}"
}

verb_remove_admin() {
	test $# -eq 1 || usage
	need_init
	lock
	grep -q "^[^ ]*permitlisten=\"localhost:1\".* $1\$" "$keys/$admin" ||
	    die "no admin '$1'"
	take_out "$keys/$admin" "$1"
	say "admin $1 is gone"
}

# What listens here now: port numbers.
listening() {
	if command -v ss >/dev/null; then
		ss -Hltn | awk '{ print $4 }'
	elif command -v sockstat >/dev/null; then
		sockstat -46lqP tcp | awk '{ print $6 }'
	else
		netstat -an | awk '/LISTEN/ { print $4 }'
	fi 2>/dev/null | sed 's/.*[.:]//' | sort -u
}

verb_list() {
	need_init
	down=false
	case ${1-} in
	'') ;;
	--down) down=true ;;
	*) usage ;;
	esac
	up=" $(listening | tr '\n' ' ')"
	$down || printf '%-24s %-16s %-12s %s\n' BOX ACCOUNT PORT LISTENS
	boxes | while read -r file p name; do
		state=yes
		for one in $(echo "$p" | tr ',*' ' ?'); do
			case $up in
			*" $one "*) ;;
			*) state=no ;;
			esac
		done
		case $p in
		*'*'*) state='?' ;;
		esac
		if $down && [ "$state" = yes ]; then
			continue
		fi
		printf '%-24s %-16s %-12s %s\n' "$name" "${file##*/}" "$p" \
		    "$state"
	done
}

public_host_keys() {
	for f in "$etc"/ssh_host_*_key.pub; do
		test -f "$f" || continue
		case $f in
		*ed25519*) n=1 ;;
		*ecdsa*) n=2 ;;
		*rsa*) n=3 ;;
		*) continue ;;
		esac
		echo "$n $(cut -d ' ' -f 1,2 "$f")"
	done | sort -n | cut -d ' ' -f 2,3
}

verb_host_key() {
	one=$(public_host_keys | head -n 1)
	test -n "$one" || die "$etc: no ssh_host_*_key.pub there"
	public_host_keys
}

# nth_port N DEFAULT
nth_port() {
	setting ports | awk -v n="$1" -v d="$2" '
	{ p = $n }
	END { print p == "" ? d : p }'
}

print_box_conf() {
	line=$(boxes | awk -v n="$1" '$3 == n { print; exit }')
	test -n "$line" || die "no box '$1': list shows them"
	file=${line%% *}
	listens=$(echo "$line" | awk '{
		gsub(/\*/, "0", $2)
		gsub(/,/, "\", \"localhost:", $2)
		print "\"localhost:" $2 "\""
	}')
	case $listens in
	*,*) listens="{$listens}" ;;
	esac
	cat <<END
relay "$(echo "$host" | sed 's/[^A-Za-z0-9_-].*//')" {
	host     = "$host"
	port     = $(nth_port 1 22)
	second_port = $(nth_port 2 0)
	user     = "${file##*/}"
	identity = "relay_ed25519"
	host_key = {"$(verb_host_key | head -n 1)"}
	listen   = $listens
	when     = "activated"
}
END
}

verb_box_conf() {
	test $# -eq 1 || usage
	need_init
	print_box_conf "$1"
}

# check

test_config() {
	sshd=$(command -v sshd) || die "no sshd here: install OpenSSH's server"
	"$sshd" -t -f "$main"
}

# expect ACCOUNT KEYWORD VALUE: in what sshd makes of all its files; a line
# that stands before ours wins there.
expect() {
	v=$(printf '%s\n' "$effective" | sed -n "s|^$2 ||p")
	test "$v" = "$3" && return 0
	say "$1: $2 is \"$v\", not \"$3\": a line before ours says so"
	bad=1
}

check_account() {
	effective=$("$sshd" -T -f "$main" \
	    -C "user=$1,host=box,addr=192.0.2.1,laddr=192.0.2.2,lport=22") ||
	    die "sshd -T failed"
	expect "$1" authorizedkeysfile "$keys/%u"
	expect "$1" allowtcpforwarding "$2"
	expect "$1" permittty no
	expect "$1" maxsessions 0
	expect "$1" allowstreamlocalforwarding no
	expect "$1" permittunnel no
	# A box's connection holds no channel most of its life.
	case $(printf '%s\n' "$effective" |
	    sed -n 's/^unusedconnectiontimeout //p') in
	'' | none | 0) ;;
	*)
		say "$1: UnusedConnectionTimeout would cut off idle boxes"
		bad=1 ;;
	esac
}

verb_check() {
	need_init
	bad=0
	test_config || die "sshd does not take its configuration"
	check_account "$account" yes
	test "$admin" = "$account" || check_account "$admin" local
	for f in "$keys"/*; do
		test -f "$f" || continue
		grep -nv '^restrict,port-forwarding,permitlisten=.*permitopen=' \
		    "$f" | while IFS=: read -r n rest; do
			say "$f:$n: not a line of ours: ${rest%% *}"
			echo x
		done | grep -q x && bad=1
		test -n "$root" || have_account "${f##*/}" || {
			say "no account ${f##*/} for $f"
			bad=1
		}
	done
	twice=$(boxes | awk '{ print $2 }' | tr , '\n' | grep -v '\*' |
	    sort | uniq -d)
	for p in $twice; do
		say "port $p is given to more than one box"
		bad=1
	done
	test $bad -eq 0 || exit 1
	say "all well: $(boxes | wc -l | tr -d ' ') boxes"
}

while [ $# -gt 0 ]; do
	case $1 in
	--root) root=${2-} ;;
	--account) account=${2-} ;;
	--admin) admin=${2-} ;;
	--host) host=${2-} ;;
	--base) base=${2-} ;;
	-*) usage ;;
	*) break ;;
	esac
	test -n "${2-}" || usage
	shift 2
done
test $# -gt 0 || usage
paths
verb=$1
shift
case $verb in
init) verb_init "$@" ;;
add-box) verb_add_box "$@" ;;
remove-box) verb_remove_box "$@" ;;
add-admin) verb_add_admin "$@" ;;
remove-admin) verb_remove_admin "$@" ;;
list) verb_list "$@" ;;
host-key) verb_host_key ;;
box-conf) verb_box_conf "$@" ;;
config) print_config ;;
check) verb_check ;;
*) usage ;;
esac
