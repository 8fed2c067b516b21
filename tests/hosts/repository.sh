#!/bin/bash
# repository.sh BASE DIR: makes DIR/debian, a signed apt repository (suite bookworm, component main) with Debian's own packages
# named in the file `packages` and all that BASE lacks for them, and with the stand-ins of debs/. See sign.sh for the keys.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
base=$1 dir=$2
pool=$dir/debian/pool apt=$dir/apt
mkdir -p "$pool"

for recipe in "$here"/debs/*/; do
  while read -r version; do "$here/mkdeb.sh" "$recipe" "$version" "$pool"; done <"$recipe/versions"
done

# Ask apt with a private root: BASE's packages as installed, Debian and the stand-ins as sources. This machine's own apt sees nothing.
mkdir -p "$apt"/{etc/apt/preferences.d,var/lib/apt/lists/partial,var/cache/apt/archives/partial}
mirror=${CFG_TEST_MIRROR:-http://deb.debian.org/debian}
cat >"$apt/sources.list" <<C
deb [trusted=yes] file:$apt/stand-ins ./
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-updates main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
C
cat >"$apt/conf" <<C
Dir "$apt";
Dir::State::status "$base/var/lib/dpkg/status";
Dir::Etc::main "/dev/null"; Dir::Etc::parts "/nonexistent"; Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/nonexistent";
Dir::Bin::methods "/usr/lib/apt/methods"; Dir::Bin::dpkg "/usr/bin/dpkg";
APT::Install-Recommends "false"; Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root"; Debug::NoLocking "true";
C
mkdir "$apt/stand-ins"
cp "$pool"/*.deb "$apt/stand-ins"
(cd "$apt/stand-ins" && apt-ftparchive packages . >Packages)
export APT_CONFIG=$apt/conf
apt-get update -qq
mapfile -t packages <"$here/packages"
apt-get install -y -qq --download-only "${packages[@]}"
unset APT_CONFIG
mv "$apt"/var/cache/apt/archives/*.deb "$pool"
rm -rf "$apt"

"$here/sign.sh" "$dir"
