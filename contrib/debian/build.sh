#!/bin/sh
# Makes a Debian package of what "make install DESTDIR=" staged; "make deb"
# calls it.  No debhelper, and no root: just dpkg-dev.
#
#	build.sh STAGED VERSION OUTPUT_FOLDER
set -eu
umask 022

root=$(cd "$1" && pwd)
version=$2
out=$3
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
doc=$root/usr/share/doc/oobd
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What Debian's policy wants beside "make install".
mkdir -p "$doc" "$root/DEBIAN"
gzip -9n "$root"/usr/share/man/man*/*.[158]
cp "$top/docs/install.md" "$top/docs/relay.md" "$top/docs/journal.md" \
    "$top/README.md" "$doc/"
{
	printf 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n'
	printf 'Upstream-Name: oobd\n\nFiles: *\n'
	printf 'Copyright: 2026 The oobd authors\nLicense: ISC\n'
	sed -e 1,2d -e 's/^$/./' -e 's/^/ /' "$top/LICENSE"
} > "$doc/copyright"
when=$(git -C "$top" log -1 --format=%cD 2>/dev/null) || when=
cat > "$work/changelog" <<END
oobd ($version) unstable; urgency=medium

  * What is new: see the file CHANGELOG.md of the sources.

 -- The oobd authors <maintainers@oobd.example.net>  ${when:-$(date -R)}
END
gzip -9nc "$work/changelog" > "$doc/changelog.gz"
gzip -9nc "$top/CHANGELOG.md" > "$doc/NEWS.gz"
for program in sbin/oobd bin/oobctl bin/oobsim; do
	strip --strip-unneeded --remove-section=.comment \
	    --remove-section=.note "$root/usr/$program"
done

# Which packages its libraries are from.
mkdir "$work/debian"
printf 'Source: oobd\n\nPackage: oobd\nArchitecture: any\n' \
    > "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O "$root/usr/sbin/oobd" \
    "$root/usr/bin/oobctl" "$root/usr/bin/oobsim" |
    sed -n 's/^shlibs:Depends=//p')

size=$(du -sk --exclude=DEBIAN "$root" | cut -f 1)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@SIZE@|$size|" \
    -e "s|@DEPENDS@|$depends|" "$here/control.in" > "$root/DEBIAN/control"
(cd "$root" && find etc -type f | sed 's|^|/|') > "$root/DEBIAN/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) \
    > "$root/DEBIAN/md5sums"
for script in postinst prerm postrm; do
	install -m 755 "$here/$script" "$root/DEBIAN/$script"
done
find "$root" -type d -exec chmod 755 {} +
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root" "$out/oobd_${version}_$arch.deb"
