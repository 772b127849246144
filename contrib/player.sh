#!/bin/sh
# Fetch the asciinema player, which `export --format html` puts into its
# pages, with npm into a folder: sh contrib/player.sh FOLDER.  Exactly one
# version, by the hash of its archive.  Without npm or network it says so and
# succeeds: only that one format needs it.
set -u

VERSION=3.18.0
SHA512=e60a6dda2a45732e0d2a6824bfe73f4179c9f73322731a9644e08eb89aa0c30b6260a33c41ef619c33af7ea91ee5b5ba3360d6fec78edee418910d31794515b7

to=${1:?folder}
name=asciinema-player

lack() {
	echo "player: $*; export --format html will not work, all else will" >&2
	exit 0
}

test "$(cat "$to/$name.version" 2>/dev/null)" = "$VERSION" && exit 0
command -v npm >/dev/null || lack "no npm here to fetch it (package npm)"
mkdir -p "$to" && to=$(cd "$to" && pwd) || exit 1
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
cd "$dir" || exit 1
npm pack --silent "$name@$VERSION" >/dev/null 2>"$dir/why" ||
    lack "npm cannot fetch $name $VERSION: $(tail -n 1 "$dir/why")"
file=$name-$VERSION.tgz
sum=$( (sha512sum "$file" || sha512 -q "$file") 2>/dev/null)
case $sum in
"$SHA512"*)	;;
*)		echo "player: $file is not what it should be" >&2
		exit 1 ;;
esac
tar xzf "$file" || exit 1
# It goes between <script> tags, whole.
if grep -q '</script' package/dist/bundle/$name.min.js package/LICENSE; then
	echo "player: $name $VERSION cannot stand in a page" >&2
	exit 1
fi
cp package/dist/bundle/$name.min.js package/dist/bundle/$name.css "$to/" &&
    cp package/LICENSE "$to/$name.LICENSE" &&
    echo $VERSION >"$to/$name.version"
