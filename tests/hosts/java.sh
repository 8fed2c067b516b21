#!/bin/bash
# java.sh BASE REPOSITORY DIR: makes DIR/root, a layer over BASE with a Java runtime and ZooKeeper's library, so that a host
# installs zookeeperd in seconds. The layer keeps no package source either.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
base=$1 repository=$2 dir=$3
"$here/chroot.sh" "$base" "$repository/debian" "$dir/root" sh -ec '
  echo "deb [signed-by=/srv/repository/key.asc] file:/srv/repository bookworm main" >/etc/apt/sources.list
  printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  apt-get update -qq
  apt-get install -y --no-install-recommends libzookeeper-java default-jre-headless
  : >/etc/apt/sources.list
  rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb'
