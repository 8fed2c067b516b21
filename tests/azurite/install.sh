#!/bin/bash
# install.sh: installs Azurite, with every package pinned by package-lock.json, into the cache, once, and prints the path of its
# azurite-blob. Needs node and npm, not root. Environment: CFG_TEST_CACHE.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ "$(id -u)" = 0 ]; then cache=/var/cache/cfg-tests; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/cfg-tests; fi
cache=${CFG_TEST_CACHE:-$cache}
dir=$cache/azurite-$(cat "$here"/package*.json | sha256sum | cut -c1-12)
mkdir -p "$cache"
exec 9>"$cache/azurite.lock"
flock 9
if [ ! -e "$dir/id" ]; then
  type -P npm >/dev/null || { echo "Azurite needs npm: apt-get install -y --no-install-recommends nodejs npm" >&2; exit 69; }
  echo "making azurite, once" >&2
  rm -rf "$dir" "$dir.new"
  mkdir "$dir.new"
  cp "$here"/package*.json "$dir.new"
  (cd "$dir.new" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 9>&-
  date +%s.%N >"$dir.new/id"
  mv "$dir.new" "$dir"
fi
touch "$dir/id"
echo "$dir/node_modules/.bin/azurite-blob"
