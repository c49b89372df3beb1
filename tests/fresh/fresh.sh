#!/usr/bin/env bash
# fresh.sh [DIR]: runs the README's two commands in a bare Debian 12 that this makes in DIR (default: a temporary
# folder, removed afterwards). What it proves: nothing that the project needs is missing from its own scripts.
# The machine's apt configuration, CA certificates and, where there is one, its Go are lent; nothing else is.
set -euo pipefail
[[ $(id -u) -eq 0 ]] || { echo 'fresh: needs root (debootstrap, chroot)' >&2; exit 1; }
source=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
root=${1:-$(mktemp -d /var/tmp/jobrun-fresh.XXXXXX)}
keep=${1:+yes}

unmount() {
  local target
  for target in go dev/shm dev/pts dev sys proc; do
    mountpoint -q "$root/$target" && umount -l "$root/$target"
  done
  return 0
}
finish() {
  unmount
  [[ -n $keep ]] || rm -rf --one-file-system "$root"
}
trap finish EXIT

# The mirror is the one this machine's apt uses.
# shellcheck disable=SC2016  # apt expands these
mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | awk '$2 == "bookworm" { print $1; exit }')
[[ -n $mirror ]] || { echo 'fresh: apt knows no mirror of Debian 12 (bookworm)' >&2; exit 1; }
[[ -x $root/usr/bin/apt-get ]] || debootstrap --variant=minbase bookworm "$root" "$mirror" >/dev/null

rm -f "$root/etc/apt/sources.list"  # debootstrap's own
for part in sources.list sources.list.d apt.conf.d auth.conf.d trusted.gpg.d keyrings; do
  [[ -e /etc/apt/$part ]] && cp -rT "/etc/apt/$part" "$root/etc/apt/$part"
done
cp -rT /usr/share/keyrings "$root/usr/share/keyrings"
mkdir -p "$root/etc/ssl/certs"
[[ -f /etc/ssl/certs/ca-certificates.crt ]] && cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
# The package ca-certificates makes the list anew, of its own certificates and these.
[[ -d /usr/local/share/ca-certificates ]] && mkdir -p "$root/usr/local/share" &&
  cp -rT /usr/local/share/ca-certificates "$root/usr/local/share/ca-certificates"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root"/{proc,sys,dev,go}
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/sys" && mount --make-rslave "$root/dev"
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if command -v go >/dev/null; then
  mount --bind "$(go env GOROOT)" "$root/go"
  path=$path:/go/bin
fi

rm -rf "$root/jobrun"
git clone -q "$source" "$root/jobrun"
# Its root is a real one, not chroot's: there nobody may make a user namespace, nor a cluster its nodes' mounts.
inside() {
  # shellcheck disable=SC2016  # the inner shell expands these
  env -i HOME=/root PATH="$path" LANG=C.UTF-8 "${lent[@]}" unshare --mount bash -ec '
    mount --rbind "$0" "$0"
    cd "$0"
    pivot_root . .
    umount -l .
    cd /jobrun
    exec bash -c "$1"' "$root" "$1"
}
lent=()
while IFS= read -r name; do lent+=("$name=${!name}"); done < <(compgen -e | grep -iE '^((http|https|no|all)_proxy|GOPROXY|GONOSUMDB|GONOSUMCHECK|GOFLAGS|SSL_CERT_FILE|CURL_CA_BUNDLE)$')

for command in './dev demo' "${FRESH_TEST:-./dev test}"; do
  echo "== fresh: $command"
  inside "$command"
done
echo 'fresh: both commands succeeded'
