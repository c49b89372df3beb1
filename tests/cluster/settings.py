"""The command lines and the files by which the programs of a cluster know each other.

One network for the nodes (10.89.0.0/24, node 1 is 10.89.0.2), one for services (10.96.0.0/16), one per node for its
pods (10.244.N.0/24). All of it is in the network namespaces of the nodes.
"""

import json

API_ADDRESS = "10.89.0.2"
API_PORT = 6443
DNS_ADDRESS = "10.96.0.10"
API_NAMES = ("DNS:localhost", "DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc",
             "DNS:kubernetes.default.svc.cluster.local", "IP:127.0.0.1", "IP:10.96.0.1", f"IP:{API_ADDRESS}")
CLIENTS = ("system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy")  # Of the API server.
SANDBOX_IMAGE = "jobrun.test/sandbox:1"
# A node whose kubelet is silent for so long is NotReady, and loses its pods after another so many seconds. The kubelet
# renews its lease every two.
NODE_GRACE_SECONDS = 14
TOLERATION_SECONDS = 3
_NODE_LEASE_SECONDS = 8


def node_name(index):
    return f"node-{index}"


def node_address(index):
    return f"10.89.0.{index + 1}"


def kubeconfig(pki, user):
    """A kubeconfig for the holder of USER.crt, as text."""
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": f"https://{API_ADDRESS}:{API_PORT}",
                                                  "certificate-authority": f"{pki}/ca.crt"}}],
        "users": [{"name": user, "user": {"client-certificate": f"{pki}/{user}.crt",
                                          "client-key": f"{pki}/{user}.key"}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}]}, indent=1) + "\n"


def control_plane(folder):
    """The services of node 1 that make it a control plane: name -> program and arguments."""
    pki, etcd, peer = f"{folder}/pki", "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    client = f"--kubeconfig={folder}/system"
    return {
        "etcd": ["etcd", f"--data-dir={folder}/etcd", "--unsafe-no-fsync", "--log-level=error",
                 f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}", f"--listen-peer-urls={peer}",
                 f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}"],
        "apiserver": [
            "kube-apiserver", f"--etcd-servers={etcd}", f"--secure-port={API_PORT}", "--bind-address=0.0.0.0",
            f"--advertise-address={API_ADDRESS}", "--service-cluster-ip-range=10.96.0.0/16",
            f"--tls-cert-file={pki}/server.crt", f"--tls-private-key-file={pki}/server.key",
            f"--client-ca-file={pki}/ca.crt", "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={pki}/sa.key", f"--service-account-signing-key-file={pki}/sa.key",
            f"--kubelet-client-certificate={pki}/kubelet-client.crt", f"--kubelet-client-key={pki}/kubelet-client.key",
            f"--kubelet-certificate-authority={pki}/ca.crt", "--kubelet-preferred-address-types=InternalIP",
            f"--default-not-ready-toleration-seconds={TOLERATION_SECONDS}",
            f"--default-unreachable-toleration-seconds={TOLERATION_SECONDS}"],
        "controller-manager": [
            "kube-controller-manager", f"{client}:kube-controller-manager.kubeconfig",
            "--use-service-account-credentials", f"--service-account-private-key-file={pki}/sa.key",
            f"--root-ca-file={pki}/ca.crt", "--leader-elect=false", "--bind-address=127.0.0.1",
            "--node-monitor-period=2s", f"--node-monitor-grace-period={NODE_GRACE_SECONDS}s"],
        "scheduler": ["kube-scheduler", f"{client}:kube-scheduler.kubeconfig", "--leader-elect=false",
                      "--bind-address=127.0.0.1"],
        "coredns": ["coredns", "-conf", f"{folder}/Corefile"],
    }


def node_services(folder, index):
    """What runs on every node."""
    node, name = f"{folder}/n{index}", node_name(index)
    return {
        "containerd": ["containerd", "-c", f"{node}/containerd.toml"],
        "kubelet": ["kubelet", f"--kubeconfig={folder}/kubelet-{index}.kubeconfig", f"--config={node}/kubelet.json",
                    f"--hostname-override={name}", f"--node-ip={node_address(index)}"],
        "kube-proxy": ["kube-proxy", f"--config={node}/kube-proxy.json"],
    }


def corefile(folder):
    return f"""\
.:53 {{
  bind {API_ADDRESS}
  errors
  cache 5
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {folder}/admin.kubeconfig
  }}
}}
"""


def dns_objects():
    """Make the CoreDNS of node 1 answer at the address that pods are given."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
         "spec": {"clusterIP": DNS_ADDRESS, "ports": ports}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
         "metadata": {"name": "kube-dns-1", "namespace": "kube-system",
                      "labels": {"kubernetes.io/service-name": "kube-dns"}},
         "addressType": "IPv4", "ports": ports,
         "endpoints": [{"addresses": [API_ADDRESS], "conditions": {"ready": True}}]}]


def node_files(folder, index, cgroup):
    """The configuration files of a node: name -> text."""
    return {"containerd.toml": _containerd(f"{folder}/n{index}"),
            "kubelet.json": json.dumps(_kubelet(folder, index, cgroup), indent=1),
            "kube-proxy.json": json.dumps(_kube_proxy(folder, index), indent=1),
            "cni/10-pods.conflist": json.dumps(_pod_network(index), indent=1)}


def _pod_network(index):
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [
        {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": {
            "type": "host-local", "dataDir": "/run/cni-ipam", "ranges": [[{"subnet": f"10.244.{index - 1}.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}]}}]}


def _kubelet(folder, index, cgroup):
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "failSwapOn": False, "failCgroupV1": False, "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{cgroup}/n{index}",
        "protectKernelDefaults": True,  # It then checks the sysctls and writes none.
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "address": node_address(index),
        "tlsCertFile": f"{folder}/pki/kubelet-{index}.crt", "tlsPrivateKeyFile": f"{folder}/pki/kubelet-{index}.key",
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                           "x509": {"clientCAFile": f"{folder}/pki/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "clusterDomain": "cluster.local", "clusterDNS": [DNS_ADDRESS], "resolvConf": f"{folder}/n{index}/resolv.conf",
        "nodeLeaseDurationSeconds": _NODE_LEASE_SECONDS, "nodeStatusUpdateFrequency": "3s",
        # A full disk of the machine is no matter of the cluster's.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
                         "nodefs.inodesFree": "1%"},
        "imageGCHighThresholdPercent": 100}


def _kube_proxy(folder, index):
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "nftables",
        "hostnameOverride": node_name(index),
        "clientConnection": {"kubeconfig": f"{folder}/system:kube-proxy.kubeconfig"},
        "clusterCIDR": "10.244.0.0/16", "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249"}


def _containerd(node):
    return f"""\
version = 3
root = "{node}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.erofs", "io.containerd.differ.v1.erofs",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{SANDBOX_IMAGE}"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true  # Lowering it needs CAP_SYS_RESOURCE, which the root of a virtual machine may lack.
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{node}/cni"
  [plugins.'io.containerd.cri.v1.runtime'.containerd]
    default_runtime_name = "runc"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
"""
