#!/bin/bash
# mkdeb.sh RECIPE VERSION OUT: builds the stand-in package that the folder RECIPE describes: `control` and maintainer scripts beside
# it, the files it installs in `root/`, and those that one version brings otherwise in `root-VERSION/`. @VERSION@ stands for the version
# everywhere; all files below /etc are conffiles.
set -euo pipefail
recipe=$1 version=$2 out=$3
name=$(basename "$recipe")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"
for root in root "root-$version"; do
  [ ! -d "$recipe/$root" ] || cp -r "$recipe/$root/." "$tree"
done
mkdir "$tree/DEBIAN"
for file in control preinst postinst prerm postrm config templates; do
  [ ! -e "$recipe/$file" ] || cp "$recipe/$file" "$tree/DEBIAN"
done
grep -rl @VERSION@ "$tree" | xargs -r sed -i "s/@VERSION@/$version/g"
(cd "$tree" && find etc -type f -printf '/%p\n' 2>/dev/null || true) | sort >"$tree/DEBIAN/conffiles"
find "$tree" -type d -exec chmod 755 {} +
find "$tree" -type f -exec chmod 644 {} +
find "$tree/usr" -type f -path '*bin/*' -exec chmod 755 {} + 2>/dev/null || true
find "$tree/DEBIAN" -name '*inst' -exec chmod 755 {} + -o -name '*rm' -exec chmod 755 {} + -o -name config -exec chmod 755 {} +
dpkg-deb --root-owner-group -Zgzip -z1 --build "$tree" "$out/${name}_${version/:/%3a}_all.deb" >/dev/null
