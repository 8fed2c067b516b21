#!/bin/bash
# boot.sh NAME LAYERS [OPTION...]: boots the host NAME over the read-only LAYERS (topmost first), with options for systemd-nspawn.
# This process becomes nspawn: SIGTERM powers the host off in order, and its only child is the host's systemd.
set -euo pipefail
if [ "$1" != --inside ]; then exec nsenter --net="/run/netns/$1" unshare --mount --propagation private "$0" --inside "$@"; fi
name=$2 layers=$3 dir=$CFG_SANDBOX/$2; shift 3

mkdir -p "$CFG_CGROUP/$name"
echo $$ >"$CFG_CGROUP/$name/cgroup.procs"
rm -rf "$dir/work" # a volatile overlay refuses a work folder that was used
mkdir "$dir/work"
mount -t overlay overlay -o "lowerdir=$layers,upperdir=$dir/disk,workdir=$dir/work,volatile" "$dir/root"

# A host has its network to itself, so it may set it up, as a real one may.
SYSTEMD_NSPAWN_API_VFS_WRITABLE=network exec systemd-nspawn --quiet --directory="$dir/root" --machine="$name" --boot \
  --register=no --keep-unit --console=pipe --resolv-conf=off --timezone=off --link-journal=no --capability=CAP_NET_ADMIN \
  --bind-ro="$CFG_REPOSITORY/debian:/srv/repository" "$@" </dev/null >>"$dir/console.log" 2>&1
