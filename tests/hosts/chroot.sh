#!/bin/bash
# chroot.sh LOWER REPOSITORY UPPER COMMAND...: runs COMMAND in a chroot that shows LOWER and keeps its changes in UPPER, without
# booting it: in own namespaces, with REPOSITORY at /srv/repository and no network.
set -euo pipefail
upper=$3
mkdir -p "$upper" "$upper.work" "$upper.mount"
chmod 755 "$upper"
trap 'rm -rf "$upper.work"; rmdir "$upper.mount"' EXIT
unshare --mount --pid --ipc --uts --net --fork --kill-child=KILL --propagation private bash -euc '
  lower=$1 repository=$2 upper=$3 at=$3.mount; shift 3
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$upper.work,volatile" "$at"
  mount --bind -o ro "$repository" "$at/srv/repository"
  mount -t proc proc "$at/proc"
  mount -t sysfs -o ro sysfs "$at/sys"
  mount -t tmpfs tmpfs "$at/run"
  mount -t tmpfs tmpfs "$at/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$at/dev"
  for device in null zero full random urandom tty; do touch "$at/dev/$device"; mount --bind "/dev/$device" "$at/dev/$device"; done
  mkdir "$at/dev/pts" "$at/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$at/dev/pts"
  ln -s pts/ptmx "$at/dev/ptmx"
  ln -s /proc/self/fd "$at/dev/fd"
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$at" "$@"
' chroot "$@"
