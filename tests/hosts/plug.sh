#!/bin/bash
# plug.sh NAME IP: a network namespace for a host of the sandbox, plugged into its switch, and a folder for its disk.
set -euo pipefail
name=$1 ip=$2
mkdir -p "$CFG_SANDBOX/$name"/{disk,root}
chmod 755 "$CFG_SANDBOX/$name/disk"
ip netns add "$name"
ip link add "v-$name" type veth peer name eth0 netns "$name"
ip link set "v-$name" master br0 up
ip -n "$name" link set lo up
ip -n "$name" addr add "$ip/24" dev eth0
ip -n "$name" link set eth0 up
ip -n "$name" route add default via 10.77.0.1
