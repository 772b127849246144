#!/bin/sh
# From a fresh clone to something that runs, with one command:
#
#	sh contrib/bootstrap.sh demo	a whole working site in a scratch folder
#	sh contrib/bootstrap.sh check	every test
#	sh contrib/bootstrap.sh build	just build/oobd, oobctl and oobsim
#	sh contrib/bootstrap.sh bench	measure, beside other console servers
#
# Installs the packages that are missing, with apt-get or pkg, and with sudo
# only if that is needed for it.  Nothing else of the system is touched, and
# nothing at all when everything is there.  Words after "demo" go to demo.sh.
set -u
cd "$(dirname "$0")/.." || exit 1

# The one list of what is needed, per system.  need() looks them up by name.
# shellcheck disable=SC2034
{
DEBIAN_BUILD="gcc libc6-dev make pkg-config libssh-dev libssl-dev libserialport-dev
	libconfuse-dev libjansson-dev libsodium-dev libc-ares-dev liboath-dev
	libqrencode-dev libcurl4-openssl-dev libzstd-dev libseccomp-dev"
DEBIAN_DEMO="openssh-client"
DEBIAN_CHECK="openssh-client libcmocka-dev clang libclang-rt-dev clang-tidy
	cppcheck binutils valgrind mandoc python3 python3-pytest
	python3-pytest-xdist python3-pytest-timeout python3-paramiko putty-tools dropbear-bin
	openssh-server qemu-system-x86 busybox-static cpio ppp slirp zbar-tools
	openssl oathtool zstd strace procps iproute2 shellcheck zsh fish
	dpkg-dev lintian systemd udev e2fsprogs ssh-audit debootstrap npm asciinema ttyrec bsdutils
	chromium chromium-driver tmux"
DEBIAN_BENCH="openssh-client openssh-server cu conserver-server
	conserver-client conman e2fsprogs python3 python3-paramiko"

FREEBSD_BUILD="gmake pkgconf libssh libserialport libconfuse jansson
	libsodium c-ares oath-toolkit libqrencode curl zstd"
FREEBSD_DEMO=""
FREEBSD_CHECK="cmocka llvm cppcheck binutils valgrind python3 py311-pytest
	py311-pytest-xdist py311-pytest-timeout py311-paramiko py311-ssh-audit putty-nogtk dropbear
	bash zsh fish hs-ShellCheck npm asciinema ttyrec chromium tmux"
FREEBSD_BENCH="conserver-com conman python3 py311-paramiko"
}

say() {
	printf 'bootstrap: %s\n' "$*"
}

die() {
	printf 'bootstrap: %s\n' "$*" >&2
	exit 1
}

usage() {
	echo "usage: sh contrib/bootstrap.sh demo|check|build|bench" >&2
	exit 2
}

# Run a command as root.  The remedy is named where that cannot be.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "not root and no sudo here: as root, run: $*"
	fi
}

# npm may have come with a node from elsewhere, which Debian's conflicts with.
debian_missing() {
	for p in "$@"; do
		if [ "$p" = npm ] && command -v npm >/dev/null 2>&1; then
			continue
		fi
		dpkg-query -W -f '${db:Status-Abbrev}\n' "$p" 2>/dev/null |
		    grep -q '^ii' || printf '%s ' "$p"
	done
}

debian_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y \
	    --no-install-recommends "$@"
}

# True when apt's lists know all of these.
debian_knows() {
	for p in "$@"; do
		apt-cache policy "$p" 2>/dev/null |
		    grep -q 'Candidate: [^(]' || return 1
	done
}

debian_install() {
	missing=$(debian_missing "$@")
	test -n "$missing" || return 0
	say "installing: $missing"
	# shellcheck disable=SC2086
	if debian_knows $missing; then
		debian_get $missing && return 0
		say "that failed; the package lists may be old"
	fi
	# shellcheck disable=SC2086
	{ as_root apt-get update && debian_get $missing; } ||
	    die "cannot install: $missing"
}

freebsd_install() {
	missing=
	for p in "$@"; do
		pkg info -e "$p" || missing="$missing $p"
	done
	test -n "$missing" || return 0
	say "installing:$missing"
	# shellcheck disable=SC2086
	as_root env ASSUME_ALWAYS_YES=yes pkg install -y $missing ||
	    die "cannot install:$missing"
}

# need BUILD CHECK ...: install what these lists name.
need() {
	packages=
	for list in "$@"; do
		eval "packages=\"\$packages \$${SYSTEM}_$list\""
	done
	# shellcheck disable=SC2086
	case $SYSTEM in
	DEBIAN)		debian_install $packages ;;
	FREEBSD)	freebsd_install $packages ;;
	*)		say "neither apt-get nor pkg here: needed are" \
			    $DEBIAN_BUILD ;;
	esac
}

# The lab boots a stock Debian kernel that apt-get download brings: that
# works for anybody, once there are package lists.
lab_lists() {
	test "$SYSTEM" = DEBIAN || return 0
	debian_knows linux-image-amd64 || as_root apt-get update
}

find_python() {
	PYTHON=$(sh tests/python.sh) || exit 1
	export PYTHON
}

build() {
	$MAKE -j "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" all ||
	    die "the build failed"
	# For one format of export; it says what is missing.
	$MAKE -s player
}

SYSTEM=
if command -v apt-get >/dev/null 2>&1; then
	SYSTEM=DEBIAN
elif [ "$(uname -s)" = FreeBSD ]; then
	SYSTEM=FREEBSD
fi
MAKE='make'
test "$(uname -s)" = Linux || MAKE=gmake
export MAKE

test $# -ge 1 || usage
verb=$1
shift
case $verb in
build)
	need BUILD
	build
	;;
demo)
	# With root's rights its calls can be PPP.
	test "$(id -u)" -ne 0 || DEBIAN_DEMO="$DEBIAN_DEMO slirp"
	need BUILD DEMO
	build
	exec sh contrib/demo.sh "$@"
	;;
check)
	need BUILD CHECK
	lab_lists
	find_python
	exec sh tests/check.sh "$@"
	;;
bench)
	need BUILD CHECK BENCH
	find_python
	build
	exec $MAKE bench
	;;
*)
	usage
	;;
esac
