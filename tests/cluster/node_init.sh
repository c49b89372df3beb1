#!/usr/bin/env bash
# node_init.sh DIR INDEX NAME NODES: the first process of a node, in namespaces of its own (cluster.py starts it there).
# Makes the mounts and the network that a kubelet expects, starts the services in DIR/nINDEX/services, and then only
# waits: when it is killed, the kernel ends every process of the node.
set -euo pipefail
dir=$1 index=$2 name=$3 nodes=$4
node=$dir/n$index

mount -t proc proc /proc
hostname "$name"
# The kubelet wants these sysctls. The machine's own stay as they are: the node sees files in their place.
while read -r path value; do
  mkdir -p "$node/sysctl/$(dirname "$path")"
  echo "$value" >"$node/sysctl/$path"
  mount --bind "$node/sysctl/$path" "/proc/sys/$path"
done <<'SYSCTLS'
vm/overcommit_memory 1
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SYSCTLS
mount -t tmpfs -o mode=755 tmpfs /run
for folder in /var/log /var/lib/kubelet /var/lib/cni; do
  mkdir -p "$folder" "$node$folder"
  mount --bind "$node$folder" "$folder"
done
# Nobody answers there, so pulling an image that was not imported fails at once.
echo "nameserver 127.0.0.1" >"$node/resolv.conf"
mount --bind "$node/resolv.conf" "$(realpath /etc/resolv.conf)"
mount --make-rshared /

ip link set lo up
if ((index == 1)); then
  ip link add nodes type bridge
  device=nodes
else  # cluster.py puts it here, its other end into the bridge of node 1.
  device=eth0
  until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
fi
ip link set "$device" up
ip addr add "10.89.0.$((index + 1))/24" dev "$device"
# There is no default route, and an address of a service must be routable before kube-proxy can translate it.
ip route add 10.96.0.0/16 dev "$device"
for ((other = 1; other <= nodes; other++)); do
  ((other == index)) || ip route add "10.244.$((other - 1)).0/24" via "10.89.0.$((other + 1))"
done
echo 1 >/proc/sys/net/ipv4/ip_forward

for service in etcd apiserver containerd; do
  [[ ! -x $node/services/$service ]] || { exec setsid "$node/services/$service" </dev/null; } &
done
until curl --silent --insecure --max-time 1 https://10.89.0.2:6443/readyz | grep -q '^ok'; do sleep 0.1; done
for service in coredns controller-manager scheduler kubelet kube-proxy; do
  [[ ! -x $node/services/$service ]] || { exec setsid "$node/services/$service" </dev/null; } &
done
while :; do wait -n || sleep 1; done
