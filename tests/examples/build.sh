#!/usr/bin/env bash
# build.sh [--check] [LANGUAGE…]: makes the workers of docs/workers ready to run in $JOBRUN_EXAMPLES (default
# build/examples): fetches what their manifests pin, with each language's own package manager, and compiles. Returns at
# once when all is current. The caches of the package managers make a second build quick.
#   --check  builds nothing
# Exit codes: 0 current; 1 it is not (--check); 3 a program is missing, and the line says which; otherwise what failed.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
out=${JOBRUN_EXAMPLES:-$root/build/examples}
go_minor_min=26
check=
[[ ${1:-} != --check ]] || { check=yes; shift; }
languages=("$@")
((${#languages[@]})) || languages=(python go typescript java)

missing() { echo "NO $1 EXAMPLE: $2" >&2; exit 3; }

need() {  # need LANGUAGE COMMAND…
  local command
  for command in "${@:2}"; do
    command -v "$command" >/dev/null || missing "$1" "it needs $command; ./dev setup installs it"
  done
}

# The wheels stay beside the environment, so that the README's `pip install` can be tested without a network.
build_python() {
  /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || missing python "it needs python3-venv; ./dev setup installs it"
  /usr/bin/python3 -m venv venv
  venv/bin/pip download -q --only-binary :all: -d wheels -r worker/requirements.txt \
    -c "$root/tests/examples/constraints.txt"
  PIP_FIND_LINKS='' venv/bin/pip install -q --no-index --find-links wheels kubernetes
}

build_go() {
  local version
  version=$(cd / && GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || version=none
  if ! [[ $version =~ ^go1\.([0-9]+) ]] || ((BASH_REMATCH[1] < go_minor_min)); then
    missing go "it needs Go 1.$go_minor_min or later on the PATH (found: $version)"
  fi
  cd worker
  go build -mod=readonly -trimpath -buildvcs=false -o ../jobrun-worker .
}

build_typescript() {
  need typescript node npm
  cd worker
  npm ci --silent --no-audit --no-fund
  npm run --silent build
}

build_java() {
  need java javac mvn
  cd worker
  mvn --quiet --batch-mode package
}

fingerprint() {  # fingerprint LANGUAGE: changes when it has to be built again
  local sources=("docs/workers/$1")
  # What is not compiled is run where it stands.
  [[ $1 != python ]] || sources=(docs/workers/python/requirements.txt tests/examples/constraints.txt)
  (cd "$root" && find tests/examples/build.sh "${sources[@]}" -type f -print0 | sort -z | xargs -0 sha256sum |
    sha256sum | cut -d' ' -f1)
}

is_current() { [[ $(cat "$out/$1/.fingerprint" 2>/dev/null) == "$(fingerprint "$1")" ]]; }

# Each by itself: a language whose program is missing keeps no other from being built.
if ((${#languages[@]} > 1)); then
  status=0
  for language in "${languages[@]}"; do "$0" ${check:+--check} "$language" || status=$?; done
  exit "$status"
fi
language=${languages[0]}
mkdir -p "$out"
exec 9>"$out/.$language.lock"
flock 9
! is_current "$language" || exit 0
[[ -z $check ]] || exit 1
echo "building the $language worker" >&2
rm -rf "${out:?}/$language"
mkdir "$out/$language"
cp -r "$root/docs/workers/$language" "$out/$language/worker"
cd "$out/$language"
"build_$language"
fingerprint "$language" >"$out/$language/.fingerprint"
