#!/usr/bin/env bash
# Builds the real Kubernetes programs that the tests run, from Go modules pinned by the go.mod and go.sum
# of each folder here, into $JOBRUN_KUBE_BIN (default ~/.cache/jobrun-kube/bin).
#
#   build.sh [PROGRAM…]     default: etcd kube-apiserver kubectl helm elector
#                           also: kube-controller-manager kube-scheduler kubelet
#
# Returns at once when everything is current. A program is replaced in one step when its build is complete,
# so an interrupted build leaves nothing half-done. Cold it takes about ten minutes of two cores.
# Exit codes: 0 current; 3 no Go of the version needed; otherwise what failed.
set -euo pipefail
cd "$(dirname "$0")"

kube_version=v1.36.3
etcd_version=v3.6.14
helm_version=v3.22.0
go_minor_min=26
bin=${JOBRUN_KUBE_BIN:-$HOME/.cache/jobrun-kube/bin}
programs=("$@")
((${#programs[@]})) || programs=(etcd kube-apiserver kubectl helm elector)

# recipe PROGRAM: prints its module folder, package and linker flags.
recipe() {
  local component=k8s.io/component-base/version minor=${kube_version#v1.}
  local stamp="-X $component.gitVersion=$kube_version -X $component.gitMajor=1 -X $component.gitMinor=${minor%.*}"
  case $1 in
    etcd) echo "etcd go.etcd.io/etcd/server/v3 -s -w" ;;
    elector) echo "elector jobrun.dev/tests/kube/elector -s -w" ;;
    helm) echo "helm helm.sh/helm/v3/cmd/helm -s -w -X helm.sh/helm/v3/internal/version.version=$helm_version" ;;
    kube-apiserver | kubectl | kube-controller-manager | kube-scheduler | kubelet)
      echo "apiserver k8s.io/kubernetes/cmd/$1 -s -w $stamp" ;;
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

# build PROGRAM: does nothing when the program there is the one wanted.
build() {
  local folder package flags wanted partial
  read -r folder package flags <<<"$(recipe "$1")"
  wanted=$(fingerprint "$folder" "$package" "$flags")
  [[ -x $bin/$1 && $(cat "$bin/.$1.fingerprint" 2>/dev/null) == "$wanted" ]] && return
  require_go
  echo "building $1 from $folder/go.mod" >&2
  partial=$bin/.$1.partial
  (cd "$folder" && nice -n 10 go build -mod=readonly -trimpath -buildvcs=false -ldflags "$flags" -o "$partial" "$package")
  rm -f "$bin/.$1.fingerprint"
  mv -f "$partial" "$bin/$1"
  echo "$wanted" >"$partial"
  mv -f "$partial" "$bin/.$1.fingerprint"
}

# The versions above name the programs; the modules decide. They must not drift apart.
grep -q "k8s.io/kubernetes $kube_version\$" apiserver/go.mod
grep -q "go.etcd.io/etcd/server/v3 $etcd_version\$" etcd/go.mod
grep -q "helm.sh/helm/v3 $helm_version\$" helm/go.mod
grep -q "k8s.io/client-go v0.${kube_version#v1.}\$" elector/go.mod

for program in "${programs[@]}"; do recipe "$program" >/dev/null; done
mkdir -p "$bin"
exec 9>"$bin/.lock"
flock 9
for program in "${programs[@]}"; do build "$program"; done
