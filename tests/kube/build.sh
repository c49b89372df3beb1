#!/usr/bin/env bash
# Builds the real Kubernetes programs that the tests run, from Go modules pinned by the go.mod and go.sum
# of each folder here, into $JOBRUN_KUBE_BIN (default ~/.cache/jobrun-kube/bin).
#
#   build.sh [PROGRAM…]     default: etcd kube-apiserver kubectl helm untt elector
#   build.sh cluster        these and the rest of a cluster: the other programs named below
#
# Returns at once when everything is current. A program is replaced in one step when its build is complete,
# so an interrupted build leaves nothing half-done. Cold it takes about ten minutes of two cores; twice that for
# `cluster`.
# Exit codes: 0 current; 3 no Go of the version needed; otherwise what failed.
set -euo pipefail
cd "$(dirname "$0")"

kube_version=v1.36.3
etcd_version=v3.6.14
helm_version=v3.22.0
unittest_version=v1.1.2
containerd_version=v2.3.7
coredns_version=v1.15.0
go_minor_min=26
# containerd without the snapshotters that need C libraries; the other programs know none of these tags.
runtime_tags=no_btrfs,no_zfs,no_devmapper
bin=${JOBRUN_KUBE_BIN:-$HOME/.cache/jobrun-kube/bin}
server_programs=(etcd kube-apiserver kubectl helm untt elector)
node_programs=(kube-controller-manager kube-scheduler kubelet kube-proxy containerd containerd-shim-runc-v2 ctr coredns)
programs=("$@")
((${#programs[@]})) || programs=("${server_programs[@]}")
[[ ${programs[*]} != cluster ]] || programs=("${server_programs[@]}" "${node_programs[@]}")

# recipe PROGRAM: prints its module folder, package and linker flags.
recipe() {
  local component=k8s.io/component-base/version minor=${kube_version#v1.}
  local stamp="-X $component.gitVersion=$kube_version -X $component.gitMajor=1 -X $component.gitMinor=${minor%.*}"
  local runtime=github.com/containerd/containerd/v2
  case $1 in
    etcd) echo "etcd go.etcd.io/etcd/server/v3 -s -w" ;;
    elector) echo "elector jobrun.dev/tests/kube/elector -s -w" ;;
    helm) echo "helm helm.sh/helm/v3/cmd/helm -s -w -X helm.sh/helm/v3/internal/version.version=$helm_version" ;;
    untt) echo "helm-unittest github.com/helm-unittest/helm-unittest/cmd/helm-unittest -s -w" ;;
    kube-apiserver | kubectl | kube-controller-manager | kube-scheduler | kubelet)
      echo "apiserver k8s.io/kubernetes/cmd/$1 -s -w $stamp" ;;
    # A module of its own: it needs more than the others, and they are built anew when their pins change.
    kube-proxy) echo "proxy k8s.io/kubernetes/cmd/kube-proxy -s -w $stamp" ;;
    containerd | containerd-shim-runc-v2 | ctr)
      echo "containerd $runtime/cmd/$1 -s -w -X $runtime/version.Version=$containerd_version" ;;
    coredns) echo "coredns jobrun.dev/tests/kube/coredns -s -w" ;;
    *) echo "tests/kube/build.sh: no program called $1" >&2; exit 2 ;;
  esac
}

# fingerprint FOLDER PACKAGE FLAGS: changes when the program has to be built again.
fingerprint() {
  local sources=("$1/go.mod" "$1/go.sum")
  [[ ! -e $1/main.go ]] || sources+=("$1/main.go")
  printf '%s\n' "$2 $3" | cat - "${sources[@]}" | sha256sum | cut -d' ' -f1
}

require_go() {
  local version
  version=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || version="none"
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= go_minor_min)) && return
  echo "NO REAL API SERVER: building it needs Go 1.$go_minor_min or later on the PATH (found: $version);" \
    "install it, then run tests/kube/build.sh" >&2
  exit 3
}

# is_current PROGRAM: whether the program there is the one wanted.
is_current() {
  local folder package flags
  read -r folder package flags <<<"$(recipe "$1")"
  [[ -x $bin/$1 && $(cat "$bin/.$1.fingerprint" 2>/dev/null) == "$(fingerprint "$folder" "$package" "$flags")" ]]
}

build() {  # build PROGRAM
  local folder package flags wanted partial
  read -r folder package flags <<<"$(recipe "$1")"
  wanted=$(fingerprint "$folder" "$package" "$flags")
  require_go
  echo "building $1 from $folder/go.mod" >&2
  partial=$bin/.$1.partial
  (cd "$folder" && nice -n 10 go build -mod=readonly -trimpath -buildvcs=false -tags "$runtime_tags" \
    -ldflags "$flags" -o "$partial" "$package")
  rm -f "$bin/.$1.fingerprint"
  mv -f "$partial" "$bin/$1"
  echo "$wanted" >"$partial"
  mv -f "$partial" "$bin/.$1.fingerprint"
}

# The versions above name the programs; the modules decide. They must not drift apart.
grep -q "k8s.io/kubernetes $kube_version\$" apiserver/go.mod
grep -q "go.etcd.io/etcd/server/v3 $etcd_version\$" etcd/go.mod
grep -q "helm.sh/helm/v3 $helm_version\$" helm/go.mod
grep -q "github.com/helm-unittest/helm-unittest $unittest_version\$" helm-unittest/go.mod
grep -q "k8s.io/kubernetes $kube_version\$" proxy/go.mod
grep -q "github.com/containerd/containerd/v2 $containerd_version\$" containerd/go.mod
grep -q "github.com/coredns/coredns $coredns_version\$" coredns/go.mod
grep -q "k8s.io/client-go v0.${kube_version#v1.}\$" elector/go.mod

stale=()
for program in "${programs[@]}"; do
  recipe "$program" >/dev/null
  is_current "$program" || stale+=("$program")
done
((${#stale[@]})) || exit 0
mkdir -p "$bin"
exec 9>"$bin/.lock"
flock 9
for program in "${stale[@]}"; do is_current "$program" || build "$program"; done
