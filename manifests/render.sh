#!/usr/bin/env bash
# Makes what is generated from the chart: its copy of the resource, its README.md, and manifests/install.yaml.
#
#   render.sh           writes them
#   render.sh --check   exits 1 when one of them is not up to date
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

python=/usr/bin/python3   # Debian's, which has PyYAML
bin=${JOBRUN_KUBE_BIN:-$HOME/.cache/jobrun-kube/bin}
# Only the version that the chart demands is looked at: the render is the same for every later one.
kube_version=1.31.0
[[ ${1:-} == "" || $1 == --check ]] || { echo "usage: manifests/render.sh [--check]" >&2; exit 2; }
[[ -x $bin/helm ]] || tests/kube/build.sh helm

# install_manifest: the default render, without what only Helm needs.
install_manifest() {
  cat <<'HEAD'
# JobRun for clusters without Helm: the chart helm/jobrun with its default values. Made by ./dev manifests; don't edit.
# The image is yours to build and push; put its name in place of `image: "jobrun:…"`.
#
#   kubectl apply --server-side -f manifests/install.yaml
apiVersion: v1
kind: Namespace
metadata:
  name: jobrun-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
HEAD
  "$bin/helm" template jobrun helm/jobrun --namespace jobrun-system --kube-version "$kube_version" |
    sed -e '/^ *app.kubernetes.io\/managed-by: Helm$/d' -e '/^ *helm.sh\/chart: /d'
}

partial=$(mktemp)
trap 'rm -f "$partial"' EXIT
install_manifest >"$partial"

if [[ ${1:-} == --check ]]; then
  stale=0
  cmp -s crds/jobruns.yaml helm/jobrun/files/jobruns.yaml || { echo "stale: helm/jobrun/files/jobruns.yaml" >&2; stale=1; }
  "$python" helm/readme.py --check || stale=1
  cmp -s "$partial" manifests/install.yaml || { echo "stale: manifests/install.yaml" >&2; stale=1; }
  [[ $stale -eq 0 ]] || { echo "run ./dev manifests" >&2; exit 1; }
else
  cp crds/jobruns.yaml helm/jobrun/files/jobruns.yaml
  install_manifest >manifests/install.yaml   # Once more: the resource may have changed.
  "$python" helm/readme.py
fi
