#!/bin/sh
# `make test-boot`: boots the units in a Debian trixie tree by systemd-nspawn, walls and all, and tries what a camera on a pole meets.
#
#   PLATEWARDEN_CACHE            where tree and wheels are kept (default: ~/.cache/platewarden); built on the first run, about 5 minutes
#   PLATEWARDEN_BOOT_PACKAGES    a folder with the amd64 package, to install it instead of laying out this working tree: dist/trixie
#   PYTHON                       an interpreter with Platewarden's requirements and pytest
#
# Needs root. Network, mounts, processes and the control group are its own and vanish with it; nothing of this machine's is changed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
cache=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}
tree=$cache/boot-trixie wheels=$cache/boot-wheels
python=${PYTHON:-python3}
die() { echo "test-boot: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || die "needs root (systemd-nspawn, mounts, a network of its own); type: sudo -E make test-boot"
[ "$(uname -m)" = x86_64 ] || die "the tree is made for x86_64; this is $(uname -m)"
missing=""
for pair in systemd-nspawn:systemd-container mmdebstrap:mmdebstrap mosquitto:mosquitto ip:iproute2 unshare:util-linux nsenter:util-linux; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
done
[ -z "$missing" ] || die "missing programs. Type: sudo apt-get install --no-install-recommends$missing"
for kind in cgroup2 overlay; do
    grep -qw "$kind" /proc/filesystems || die "this kernel has no $kind file system"
done

# A tree made by another recipe, or of other libraries, is another tree.
recipe=$(cat "$here/build_tree.sh" "$here/lay_out.py" "$project/requirements.lock" "$project/debian/absent.py" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$tree.recipe" 2>/dev/null)" != "$recipe" ]; then
    echo "test-boot: building $tree (once; see $cache/boot-build.log)"
    mkdir -p "$cache"
    rm -rf "$wheels"
    "$here/build_tree.sh" "$tree" "$wheels" "$python" >"$cache/boot-build.log" 2>&1 || { tail -n 20 "$cache/boot-build.log" >&2; exit 1; }
    echo "$recipe" >"$tree.recipe"
fi

export PLATEWARDEN_BOOT_TREE="$tree" PLATEWARDEN_PICAMERA_TREE="$cache/picamera-trixie" PLATEWARDEN_BOOT_PACKAGES="${PLATEWARDEN_BOOT_PACKAGES:-}" NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
unset NOTIFY_SOCKET
# The unified hierarchy is mounted even where the host still has the old one: IPAddressDeny= and DeviceAllow= are programs attached to it.
exec unshare --mount --net --pid --fork --mount-proc --kill-child sh -eu -c '
    project=$1 python=$2 here=$3; shift 3
    mount --make-rprivate /
    mkdir -p /run/systemd
    mount -t tmpfs none /run/systemd
    mkdir -p /run/systemd/nspawn
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 none /sys/fs/cgroup
    ip link set lo up
    cd "$project"
    status=0
    timeout "${PLATEWARDEN_BOOT_WITHIN_S:-3600}" "$python" -m pytest -p no:cacheprovider -c /dev/null --rootdir "$project" --confcutdir "$here" -o "pythonpath=$project" -q -rA "$here" "$@" || status=$?
    find /sys/fs/cgroup/platewarden-boot-* -depth -type d -exec rmdir {} + 2>/dev/null || true
    exit $status
' run "$project" "$python" "$here" "$@"
