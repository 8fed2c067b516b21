#!/bin/bash
# inside.sh COMMAND...: the first process of a sandbox, started by sandbox.sh. File 9 is the lock of all sandboxes.
set -euo pipefail

# Hosts need a pure cgroup2, and one cgroup each. Those of dead sandboxes go here.
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for dead in /sys/fs/cgroup/cfg-tests.*; do
  if grep -qs '^populated 0' "$dead/cgroup.events"; then find "$dead" -depth -type d -exec rmdir {} + || true; fi
done
export CFG_CGROUP=/sys/fs/cgroup/cfg-tests.${CFG_SANDBOX##*.}
mkdir "$CFG_CGROUP" "$CFG_CGROUP/self"
echo $$ >"$CFG_CGROUP/self/cgroup.procs"
flock --unlock 9

mkdir -p /run/netns /run/systemd
mount -t tmpfs tmpfs /run/netns
mount -t tmpfs -o mode=755 tmpfs /run/systemd
ip link set lo up
ip link add br0 type bridge
ip addr add 10.77.0.1/24 dev br0
ip link set br0 up
echo 1 >/proc/sys/net/ipv4/ip_forward # so that hosts are told at once that there is no way out

status=0
"$@" || status=$?

# A cgroup cannot be left by who kills it: the sandbox's own goes when the next one starts.
for host in "$CFG_CGROUP"/*/; do [ "$host" = "$CFG_CGROUP/self/" ] || echo 1 >"$host/cgroup.kill"; done
for _ in {1..50}; do
  find "$CFG_CGROUP" -mindepth 1 -depth -type d ! -path "$CFG_CGROUP/self" -exec rmdir {} + 2>/dev/null && break
  sleep 0.02
done
if [ $status = 0 ]; then rm -rf "$CFG_SANDBOX" && rm "$CFG_SANDBOX.lock" || true; fi
exit $status
