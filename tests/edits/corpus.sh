#!/bin/bash
# corpus.sh: fetches the Debian packages named in the file `packages`, takes out their files, once, and prints where they lie:
# what the tests of edits try themselves on, in DIR/files, and a YAML reader to judge by, in DIR/python. Needs apt and dpkg, not
# root; this machine's own apt sees nothing. Environment: CFG_TEST_CACHE, CFG_TEST_MIRROR.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
if [ "$(id -u)" = 0 ]; then cache=/var/cache/cfg-tests; else cache=${XDG_CACHE_HOME:-$HOME/.cache}/cfg-tests; fi
cache=${CFG_TEST_CACHE:-$cache}
dir=$cache/edits-$(cat "$here/corpus.sh" "$here/packages" | sha256sum | cut -c1-12)
mkdir -p "$cache"
exec 9>"$cache/edits.lock"
flock 9
if [ ! -e "$dir/id" ]; then
  echo "fetching configuration files of Debian, once" >&2
  rm -rf "$dir" "$dir.new"
  apt=$dir.new/apt
  mkdir -p "$apt"/{lists/partial,archives/partial,none} "$dir.new"/{debs,files,python}
  cat >"$apt/sources.list" <<C
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${CFG_TEST_MIRROR:-http://deb.debian.org/debian} bookworm main
C
  : >"$apt/status"
  cat >"$apt/conf" <<C
Dir::State::status "$apt/status"; Dir::State::lists "$apt/lists"; Dir::Cache "$apt"; Dir::Cache::archives "$apt/archives";
Dir::Etc::main "/dev/null"; Dir::Etc::parts "$apt/none"; Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "$apt/none";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User ""; Debug::NoLocking "true";
C
  (
    export APT_CONFIG=$apt/conf
    apt-get update -qq
    cd "$dir.new/debs"
    mapfile -t packages <"$here/packages"
    apt-get download -qq "${packages[@]}" python3-ruamel.yaml
  ) >&2 9>&-
  for deb in "$dir.new"/debs/*.deb; do
    case ${deb##*/} in
      python3-ruamel.yaml_*) dpkg-deb --extract "$deb" "$dir.new/python" ;;
      *)
        name=${deb##*/}
        mkdir "$dir.new/files/${name%%_*}"
        dpkg-deb --fsys-tarfile "$deb" | tar --extract --directory "$dir.new/files/${name%%_*}" --no-same-owner --no-same-permissions \
          --wildcards --wildcards-match-slash './etc/*' '*.service' '*.socket' '*.timer' '*.mount' '*.ini' '*.json' '*.toml' '*.yaml' '*.yml' \
          './usr/share/*.conf' '*/php.ini-*' './usr/share/grub/default/grub' 2>/dev/null || true
        ;;
    esac
  done
  rm -rf "$apt" "$dir.new/debs"
  chmod -R u+rwX,go+rX "$dir.new"
  date +%s.%N >"$dir.new/id"
  mv "$dir.new" "$dir"
fi
touch "$dir/id"
echo "$dir"
