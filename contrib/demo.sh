#!/bin/sh
# A whole working site in a scratch folder: a simulated router on a line of
# 57600 bit/s, oobd with a configuration of its own, two admins with fresh
# keys, and a relay if OpenSSH's sshd is there.  Prints what to type, stays in
# the foreground, and on ^C leaves nothing behind.  "make demo" installs what
# is missing and builds first.
#
#	sh contrib/demo.sh [--keep]
#
# --keep leaves the folder with the journal in place at the end.
set -u
umask 077
cd "$(dirname "$0")/.." || exit 1

BUILD=$PWD/${OOBD_BUILD:-build}
keep=false
case ${1-} in
'')	;;
--keep)	keep=true ;;
*)	echo "usage: sh contrib/demo.sh [--keep]" >&2; exit 2 ;;
esac

S=
sim=
oobd=
relay=
clean_up() {
	trap '' INT TERM HUP
	test -z "$relay" || kill "$relay" 2>/dev/null
	test -z "$oobd" || kill "$oobd" 2>/dev/null
	test -z "$sim" || kill "$sim" 2>/dev/null
	wait
	if [ -z "$S" ]; then
		return
	elif $keep; then
		echo "demo: left for you: $S"
	else
		rm -rf "$S"
		echo "demo: gone, and nothing left behind"
	fi
}

die() {
	echo "demo: $*" >&2
	exit 1
}

trap clean_up EXIT
trap 'echo; exit 0' INT TERM HUP

for program in oobd oobctl oobsim; do
	test -x "$BUILD/$program" ||
	    die "$BUILD/$program is not built: run sh contrib/bootstrap.sh demo"
done

S=$(mktemp -d "${TMPDIR:-/tmp}/oobd-demo.XXXXXX") || die "no scratch folder"
mkdir "$S/state" "$S/log" || die "$S: cannot write there"
for who in demo second; do
	ssh-keygen -q -t ed25519 -N '' -C "$who@demo" -f "$S/$who.key" ||
	    die "ssh-keygen failed"
done

"$BUILD/oobsim" router --link "$S/ttyROUTER" --control "$S/router.sock" \
    --wait >/dev/null 2>"$S/router.log" &
sim=$!

# A port that nobody seems to have.  Who comes too late finds out.
some_port() {
	awk -v seed="$$$1" 'BEGIN {
		srand(seed)
		print 20000 + int(rand() * 12000)
	}'
}

relay_setup() {
	sh contrib/relay/oobd-relay-setup.sh --root "$S/relay" "$@" \
	    2>>"$S/relay.log"
}

prepare_relay() {
	relay_port=$(some_port 1)
	forward=$(some_port 2)
	ssh-keygen -q -t ed25519 -N '' -C box -f "$S/state/relay_ed25519" &&
	    relay_setup --host 127.0.0.1 init --port "$relay_port" &&
	    relay_setup add-box demo "$forward" \
	    < "$S/state/relay_ed25519.pub" > "$S/relay.conf" &&
	    relay_setup add-admin person < "$S/demo.key.pub"
}

# A relay of our own: a stock sshd.  Without one there is a demo, too.
start_relay() {
	sshd=$(PATH=$PATH:/usr/local/sbin:/usr/sbin command -v sshd) || {
		echo "demo: no sshd here, so there is no relay"
		return
	}
	prepare_relay || {
		cat "$S/relay.log" >&2
		die "the relay cannot be set up"
	}
	"$sshd" -D -e -f "$S/relay/etc/ssh/sshd_config" </dev/null \
	    >/dev/null 2>>"$S/relay.log" &
	relay=$!
	sleep 0.3
	kill -0 "$relay" 2>/dev/null || {
		relay=
		echo "demo: no relay: $(tail -n 1 "$S/relay.log")"
	}
}
start_relay

configure() {
	cat <<EOF
name      = "demo"
state_dir = "$S/state"
log_dir   = "$S/log"
control   = "$S/oobd.sock"
service_user = "$(id -un)"

console "gw" {
	device      = "$S/ttyROUTER"
	speed       = 57600
	description = "edge router (simulated)"
	sharing     = "single"
	alert "panic" { match = "panic:|Fatal trap" }
}

ssh {
	listen   = {"127.0.0.1:$1"}
}

user "demo" {
	keys     = {"$(cat "$S/demo.key.pub")"}
	role     = "admin"
	consoles = {"*"}
}

user "second" {
	keys     = {"$(cat "$S/second.key.pub")"}
	role     = "admin"
	consoles = {"*"}
}

EOF
	test -z "$relay" ||
	    sed 's/^relay ".*"/relay "cloud"/; s/"activated"/"always"/' \
	    "$S/relay.conf"
}

# 0 once oobd says it is ready; 1 when it ended.
came_up() {
	n=0
	while kill -0 "$oobd" 2>/dev/null && [ $n -lt 100 ]; do
		grep -q 'oobd: ready' "$S/oobd.log" && return 0
		sleep 0.1
		n=$((n + 1))
	done
	wait "$oobd" 2>/dev/null
	return 1
}

# A port that nobody has: the daemon itself finds out.
port=${OOBD_DEMO_PORT:-2222}
tries=0
until
	configure "$port" > "$S/oobd.conf"
	: > "$S/oobd.log"
	"$BUILD/oobd" -f "$S/oobd.conf" >/dev/null 2>"$S/oobd.log" &
	oobd=$!
	came_up
do
	kill "$oobd" 2>/dev/null
	oobd=
	tries=$((tries + 1))
	if [ $tries -eq 20 ] || ! grep -q 'in use' "$S/oobd.log"; then
		cat "$S/oobd.log" >&2
		die "oobd did not come up"
	fi
	port=$((port + 1 + $$ % 997))
done

# Clients of the demo know the host key from the start.
printf '[127.0.0.1]:%s %s\n' "$port" \
    "$(ssh-keygen -y -f "$S/state/ssh_host_ed25519_key")" > "$S/known_hosts"
for who in demo second; do
	cat <<EOF
Host $who
	HostName 127.0.0.1
	Port $port
	User $who
	IdentityFile $S/$who.key
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $S/known_hosts
	GlobalKnownHostsFile /dev/null
	StrictHostKeyChecking yes
	ForwardAgent no
	ForwardX11 no

EOF
done > "$S/ssh_config"

if [ -n "$relay" ]; then
	printf '[127.0.0.1]:%s %s\ndemo %s\n' "$relay_port" \
	    "$(relay_setup host-key | head -n 1)" \
	    "$(cut -d ' ' -f 2- "$S/known_hosts")" >> "$S/known_hosts"
	cat <<EOF >> "$S/ssh_config"
Host demo-relay
	HostName 127.0.0.1
	Port $relay_port
	User $(id -un)

Host far
	HostName localhost
	Port $forward
	User demo
	ProxyJump demo-relay
	HostKeyAlias demo

Host demo-relay far
	IdentityFile $S/demo.key
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $S/known_hosts
	GlobalKnownHostsFile /dev/null
	StrictHostKeyChecking yes
EOF
fi

ssh="ssh -F $S/ssh_config"
by_relay=
test -z "$relay" || by_relay="
  from far, by the relay     $ssh gw@far
      every step of the way  $ssh demo relay test
      how it is now          $ssh demo relay status"
cat <<EOF

A console server is running, with a router that is just booting on its line.
In another window, type:

  attach, as "demo"          $ssh gw@demo
      press Enter; the router's login is root, its password router; try
      help, top, flood 500, reboot.  Leave with ^E c .   Keys: ^E c ?
  a second admin             $ssh gw@second
      sees all, and takes the pen with ^E c f
  the record                 $ssh demo log gw --tail 20
      as it comes            $ssh demo log gw --follow
  leave a note in it         $ssh demo note gw "changed the uplink"
  see it again in time       $ssh -t demo replay gw --at -5min
  who is there, and how      $ssh demo who
                             $ssh demo status$by_relay
  pull the cable             $BUILD/oobsim tell $S/router.sock unplug
      and put it back        $BUILD/oobsim tell $S/router.sock plug
  on the box itself          $BUILD/oobctl -s $S/oobd.sock list

The journal is plain text:   grep -r login $S/log
What the daemon says:        tail -f $S/oobd.log
Its configuration:           $S/oobd.conf

demo: ready.  ^C here ends it all.
EOF

# Until a signal, or until one of the two is gone.
while kill -0 "$oobd" 2>/dev/null && kill -0 "$sim" 2>/dev/null; do
	sleep 1 &
	wait $!
done
tail -n 20 "$S/oobd.log" "$S/router.log" >&2
die "the daemon or the router ended by itself"
