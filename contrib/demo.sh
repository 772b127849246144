#!/bin/sh
# A whole working site in a scratch folder: a simulated router on a line of
# 57600 bit/s, a simulated modem with its carrier and the owner's phone, oobd
# with a configuration of its own, two admins with fresh keys, one-time codes,
# and a relay if OpenSSH's sshd is there.  Prints what to type, stays in the
# foreground, and on ^C leaves nothing behind.  "make demo" installs what is
# missing and builds first.
#
# As root, and where kernel and programs can, the link is PPP through slirp;
# else it takes the network that there is, which is said.
#
#	sh contrib/demo.sh [--keep]
#
# --keep leaves the folder with the journal in place at the end.
set -u
umask 077
cd "$(dirname "$0")/.." || exit 1

BUILD=$PWD/${OOBD_BUILD:-build}
export OOBD_SHARE="$BUILD/share"
OWNER=+46701234567
# slirp's network, and where its calls find this machine: one for tests.
CARRIER=198.18.77
keep=false
case ${1-} in
'')	;;
--keep)	keep=true ;;
*)	echo "usage: sh contrib/demo.sh [--keep]" >&2; exit 2 ;;
esac

say() {
	echo "demo: $*"
}

die() {
	say "$*" >&2
	exit 1
}

S=
sim=
modem=
oobd=
relay=

# sshd, and its processes of connections, which would outlive it.
relay_pids() {
	test -n "$relay" || return 0
	ps -ax -o pid= -o ppid= | awk -v top="$relay" '
		{ parent[$1] = $2 }
		END {
			for (p in parent) {
				q = p
				while (q != top && q in parent &&
				    parent[q] != q)
					q = parent[q]
				if (q == top)
					print p
			}
		}'
}

clean_up() {
	trap '' INT TERM HUP
	# First, as the link goes down in an orderly way.
	if [ -n "$oobd" ]; then
		kill "$oobd" 2>/dev/null
		wait "$oobd"
	fi
	# shellcheck disable=SC2046
	kill $(relay_pids) $modem $sim 2>/dev/null
	wait
	if [ -z "$S" ]; then
		return
	elif $keep; then
		say "left for you: $S"
	else
		rm -rf "$S"
		say "gone, and nothing left behind"
	fi
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

# Why a call cannot be PPP here; oobd finds that too, and does without.
why_no_ppp() {
	if [ "$(id -u)" -ne 0 ]; then
		echo "that takes root"
	elif [ "$(uname -s)" = FreeBSD ]; then
		grep -qs '^!include /etc/ppp/oobd.conf' /etc/ppp/ppp.conf ||
		    echo "ppp.conf does not include oobd's part"
	elif ! [ -x /usr/sbin/pppd ]; then
		echo "there is no pppd"
	elif ! { test -c /dev/ppp && (: <>/dev/ppp); } 2>/dev/null; then
		echo "this kernel has none"
	fi
}

# The interface of the way to an address; none, or no such tool: nothing.
interface_to() {
	ip route get "$1" 2>/dev/null | sed -n 's/.* dev \([^ ]*\) .*/\1/p'
}

# Where it could be PPP: why there had better be no call.
why_no_call() {
	if [ "$(uname -s)" = FreeBSD ]; then
		echo "/etc/ppp/oobd.conf belongs to another oobd"
	elif [ -z "$slirp" ]; then
		echo "its calls need slirp (apt install slirp)"
	elif [ "$(interface_to $CARRIER.2)" != "$(interface_to 192.0.2.1)" ]
	then
		echo "$CARRIER.2 is in use here"
	fi
}

# relay_host is this machine as calls see it.
start_modem() {
	slirp=$(command -v slirp-fullbolt || command -v slirp)
	relay_host=127.0.0.1
	note=
	why=$(why_no_ppp)
	set -- --control "$S/modem.sock" --link-data "$S/ttyDATA" \
	    --link-control "$S/ttyCONTROL"
	if [ -n "$why" ]; then
		note="  (There is no PPP here, $why: the link takes the
  network that there is.)"
	elif why=$(why_no_call) && [ -n "$why" ]; then
		say "no modem, as $why; try it not as root"
		return
	else
		relay_host=$CARRIER.2
		set -- "$@" --carrier \
		    "exec $slirp ppp 'special addr $CARRIER.0'"
	fi
	"$BUILD/oobsim" modem "$@" >/dev/null 2>"$S/modem.log" &
	modem=$!
}
start_modem

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
	    relay_setup --host "$relay_host" init --port "$relay_port" &&
	    relay_setup add-box demo "$forward" \
	    < "$S/state/relay_ed25519.pub" > "$S/relay.conf" &&
	    relay_setup add-admin person < "$S/demo.key.pub"
}

# A relay of our own: a stock sshd.  Without one there is a demo, too.
start_relay() {
	sshd=$(PATH=$PATH:/usr/local/sbin:/usr/sbin command -v sshd) || {
		say "no sshd here, so there is no relay"
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
		say "no relay: $(tail -n 1 "$S/relay.log")"
	}
}
start_relay

# With a modem the relay is for the night.
relay_when() {
	test -z "$modem" && echo always || echo activated
}

configure_way_out() {
	test -z "$relay" || sed -e 's/^relay ".*"/relay "cloud"/' \
	    -e "s/when .*/when     = \"$(relay_when)\"/" "$S/relay.conf"
	test -n "$modem" || return 0
	cat <<EOF

modem {
	data    = "$S/ttyDATA"
	control = "$S/ttyCONTROL"
	apn     = "internet"
	sms_per_day    = 1000
	sms_per_number = 1000
}

activation {
	from   = {"$OWNER"}
	report = {"$OWNER"}
}
EOF
}

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
	configure_way_out
}

# The owner's secret: for an authenticator app, and on paper.
make_codes() {
	configure 2222 > "$S/oobd.conf"
	"$BUILD/oobctl" code -f "$S/oobd.conf" new demo \
	    > "$S/codes.txt" 2>&1 || {
		cat "$S/codes.txt" >&2
		die "no one-time codes can be made"
	}
}

# And the phone, with all that it has to know.
make_phone() {
	sed -e "s|^S=.*|S='$S'|" -e "s|^BUILD=.*|BUILD='$BUILD'|" \
	    -e "s|^OWNER=.*|OWNER=$OWNER|" contrib/demo-phone.sh > "$S/demo"
	chmod 700 "$S/demo"
}
test -z "$modem" || {
	make_codes
	make_phone
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

# What comes before it listens is no command, as it might be an old one.
await_modem() {
	n=0
	until "$BUILD/oobctl" -s "$S/oobd.sock" status 2>/dev/null |
	    grep -q '^modem sms: listening'; do
		test $n -lt 150 || die "the modem does not come up:" \
		    "$(tail -n 5 "$S/oobd.log")"
		sleep 0.2
		n=$((n + 1))
	done
}
test -z "$modem" || await_modem

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

Host far 127.0.0.1
	HostKeyAlias demo

Host demo-relay far 127.0.0.1
	IdentityFile $S/demo.key

EOF
fi
cat <<EOF >> "$S/ssh_config"
Host *
	IdentitiesOnly yes
	IdentityAgent none
	UserKnownHostsFile $S/known_hosts
	GlobalKnownHostsFile /dev/null
	StrictHostKeyChecking yes
	ForwardAgent no
	ForwardX11 no
EOF

ssh="ssh -F $S/ssh_config"
by_relay() {
	test -n "$relay" || return 0
	cat <<EOF
  from far, by the relay     $ssh -p $forward gw@127.0.0.1
      as from a laptop       $ssh gw@far
      every step of the way  $ssh demo relay test
      how it is now          $ssh demo relay status
EOF
}

by_night() {
	test -n "$modem" || {
		by_relay
		return
	}
	cat <<EOF

One night the uplink is dead, and you are far away.  With your phone:

  wake the box               $S/demo sms up 30 CODE
      CODE is the next one of your sheet: write the eight digits, or CODE
      for having them filled in.  The box answers, dials, and holds the link
      for 30 minutes.
      the sheet              $S/demo codes
      the same for an app    cat $S/codes.txt
EOF
	by_relay
	cat <<EOF
  how is it?                 $S/demo sms status CODE
  what does the router say?  $S/demo sms tail 3 CODE
  somebody else tries        $S/demo stranger up 30 CODE
  and go to sleep again      $S/demo sms down CODE
  all that the phone got     $S/demo phone
$note
EOF
}

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
                             $ssh demo status
  pull the cable             $BUILD/oobsim tell $S/router.sock unplug
      and put it back        $BUILD/oobsim tell $S/router.sock plug
  on the box itself          $BUILD/oobctl -s $S/oobd.sock list
$(by_night)

The journal is plain text:   grep -r login $S/log
What the daemon says:        tail -f $S/oobd.log
Its configuration:           $S/oobd.conf

demo: ready.  ^C here ends it all.
EOF

# Until a signal, or until one of them is gone.
while kill -0 "$oobd" 2>/dev/null && kill -0 "$sim" 2>/dev/null &&
    { test -z "$modem" || kill -0 "$modem" 2>/dev/null; }; do
	sleep 1 &
	wait $!
done
tail -n 20 "$S/oobd.log" "$S/router.log" >&2
die "the daemon or a simulator ended by itself"
