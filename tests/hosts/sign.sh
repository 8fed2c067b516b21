#!/bin/bash
# sign.sh DIR: indexes DIR/debian/pool and signs the index, so that a test can add a package to a copy and sign it again.
# DIR/secret.asc signs (made at first), DIR/debian/key.asc is what hosts trust, DIR/debian/key.fingerprint which it is.
set -euo pipefail
dir=$1
arch=$(dpkg --print-architecture)

GNUPGHOME=$(mktemp -d) # a short path: gpg-agent's socket lies in it
export GNUPGHOME
trap 'gpgconf --kill all; rm -rf "$GNUPGHOME"' EXIT
gpg() { command gpg --batch --quiet --pinentry-mode loopback --passphrase '' "$@"; }
if [ -e "$dir/secret.asc" ]; then
  gpg --import "$dir/secret.asc"
else
  gpg --quick-generate-key 'cfg test repository <repository@example.org>' ed25519 sign never
  gpg --armor --export-secret-keys >"$dir/secret.asc"
  gpg --armor --export >"$dir/debian/key.asc"
  gpg --with-colons --list-keys | awk -F: '/^fpr/ { print $10; exit }' >"$dir/debian/key.fingerprint"
fi

cd "$dir/debian"
index=dists/bookworm/main/binary-$arch
mkdir -p "$index"
apt-ftparchive packages pool >"$index/Packages"
gzip -9kf "$index/Packages"
rm -f dists/bookworm/{Release,InRelease}
release=APT::FTPArchive::Release
apt-ftparchive -o $release::Origin=cfg-tests -o $release::Suite=bookworm -o $release::Codename=bookworm \
  -o $release::Components=main -o $release::Architectures="$arch" release dists/bookworm >Release
mv Release dists/bookworm/Release
gpg --yes --clearsign --output dists/bookworm/InRelease dists/bookworm/Release
