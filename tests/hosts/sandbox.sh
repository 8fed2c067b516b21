#!/bin/bash
# sandbox.sh NAME COMMAND...: runs COMMAND in own pid, mount, network and IPC namespaces, where hosts can be booted. Its network
# namespace is the switch: bridge br0, 10.77.0.1/24, no way out. When COMMAND ends, or this process dies (even by kill -9),
# every host, mount, bridge and namespace made in it goes too.
#
# COMMAND finds CFG_SANDBOX (this run's folder, which stays if COMMAND fails), CFG_CGROUP, CFG_BASE, CFG_JAVA, CFG_REPOSITORY.
set -euo pipefail
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # sudo may have kept the PATH of a user, who has them not
here=$(dirname "$(readlink -f "$0")")
name=$1; shift
paths=$("$here/prepare.sh")
while IFS='=' read -r key value; do export "CFG_${key^^}=$value"; done <<<"$paths"

# A run's lock is held by its processes for as long as one of them lives: what is not locked is dead, and goes here
# if it is a run of the same test, or of yesterday.
runs=${CFG_TEST_CACHE:-/var/cache/cfg-tests}/runs
mkdir -p "$runs"
exec 9>"$runs/lock"
flock 9
export CFG_SANDBOX=$runs/$name.$$
for lock in "$runs"/*.lock; do
  run=${lock%.lock}
  [[ -e $lock && ( ${run%.*} == "$runs/$name" || -n $(find "$lock" -mmin +1440) ) ]] || continue
  if flock --nonblock "$lock" true; then rm -rf "$run" "$lock"; fi
done
mkdir "$CFG_SANDBOX"
exec 8>"$CFG_SANDBOX.lock"
flock 8

exec unshare --pid --mount --net --ipc --fork --kill-child=KILL --mount-proc --propagation private "$here/inside.sh" "$@"
