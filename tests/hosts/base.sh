#!/bin/bash
# base.sh DIR: makes DIR/root, a Debian 12 that boots under systemd-nspawn and has what a cloud image has, but no package source.
set -euo pipefail
root=$1/root

mmdebstrap --variant=minbase \
  --dpkgopt=force-unsafe-io \
  --aptopt='Acquire::Languages "none"' --aptopt='Acquire::PDiffs "false"' \
  --include=systemd,systemd-sysv,dbus,cloud-init,iproute2,ca-certificates,gpgv,procps,netbase \
  bookworm "$root" ${CFG_TEST_MIRROR:+"$CFG_TEST_MIRROR"}

# Its name comes from nspawn, its machine id is made at each host's first boot, and packages come from what a role declares.
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
: >"$root/etc/machine-id"
: >"$root/etc/apt/sources.list"
rm -f "$root"/etc/apt/sources.list.d/*
printf '127.0.0.1 localhost\n::1 localhost\n' >"$root/etc/hosts"
mkdir -p "$root/srv/repository"
cat >"$root/etc/cloud/cloud.cfg.d/99-test-host.cfg" <<'C'
datasource_list: [ NoCloud, None ]
network: { config: disabled }
apt: { preserve_sources_list: true }
locale: false
C

# Timers that take apt's lock at a random moment would make tests fail at random.
for unit in apt-daily.timer apt-daily-upgrade.timer; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
