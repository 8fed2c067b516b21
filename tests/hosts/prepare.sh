#!/bin/bash
# prepare.sh: makes what test hosts boot from, and prints where it is: base=DIR, java=DIR, repository=DIR.
#
# Each part lies in the cache under the hash of its own recipe, so a changed recipe makes it anew, an unchanged one costs
# nothing, and checkouts with different recipes share a cache. Environment: CFG_TEST_CACHE (/var/cache/cfg-tests).
set -euo pipefail
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # sudo may have kept the PATH of a user, who has them not
here=$(dirname "$(readlink -f "$0")")
cache=${CFG_TEST_CACHE:-/var/cache/cfg-tests}

[ "$(id -u)" = 0 ] || { echo "test hosts need root: run the tests as root or with sudo" >&2; exit 77; }
missing=()
need() { type -P "$1" >/dev/null || missing+=("$2"); }
need mmdebstrap mmdebstrap; need systemd-nspawn systemd-container; need apt-ftparchive apt-utils
need ip iproute2; need nft nftables; need gpg gnupg; need unshare util-linux; need setpriv util-linux
[ ${#missing[@]} = 0 ] || { echo "test hosts need packages: apt-get install -y --no-install-recommends ${missing[*]}" >&2; exit 69; }

mkdir -p "$cache"
if [ "$(stat --file-system --format=%T "$cache")" = overlayfs ]; then
  echo "test hosts need a cache that is no overlay, since their disks are overlays over it: in a container, mount a volume at $cache" >&2
  exit 78
fi
exec 9>"$cache/prepare.lock"
flock 9

hash() { { cat "$@"; find "$here/debs" -type f | sort | xargs cat; } | sha256sum | cut -c1-12; }

# make NAME KEY COMMAND...: $cache/NAME-KEY, which COMMAND fills, unless it is there. It appears whole or not at all.
make() {
  local name=$1 dir=$cache/$1-$2; shift 2
  if [ ! -e "$dir/id" ]; then
    echo "test hosts: making $name, once (log: $cache/$name.log)" >&2
    rm -rf "$dir" "$dir.new"; mkdir -p "$dir.new"
    if ! "$@" "$dir.new" >"$cache/$name.log" 2>&1 9>&-; then
      tail -n 40 "$cache/$name.log" >&2
      echo "test hosts: making $name failed" >&2
      exit 1
    fi
    date +%s.%N >"$dir.new/id"
    mv "$dir.new" "$dir"
  fi
  touch "$dir/id" # when it was last used
  made=$dir
}

make base "$(sha256sum "$here/base.sh" | cut -c1-12)" "$here/base.sh"
base=$made
make repository "$(hash "$here/repository.sh" "$here/sign.sh" "$here/mkdeb.sh" "$here/packages" "$base/id")" "$here/repository.sh" "$base/root"
repository=$made
make java "$(hash "$here/java.sh" "$here/chroot.sh" "$repository/id")" "$here/java.sh" "$base/root" "$repository"
java=$made

find "$cache" -mindepth 2 -maxdepth 2 -name id -mtime +14 -printf '%h\n' | xargs -r rm -rf # what no checkout used for two weeks
printf 'base=%s\njava=%s\nrepository=%s\n' "$base/root" "$java/root" "$repository"
