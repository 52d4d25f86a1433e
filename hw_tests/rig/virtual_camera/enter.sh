#!/bin/sh
# Runs a command in the trixie tree of `make test-picamera`, where libcamera's virtual camera plays the pictures of /frames.
#
#   enter.sh COMMAND…       needs root; PLATEWARDEN_CACHE as in tests/picamera/run.sh, which builds the tree
#
# Mounts live in a namespace of the command's own. /rig and /frames are the tree's: the next command finds what this one left.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../../.." && pwd)
tree=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}/picamera-trixie

[ "$(id -u)" = 0 ] || { echo "enter.sh: needs root (chroot)" >&2; exit 1; }
[ -x "$tree/venv/bin/python" ] || { echo "enter.sh: there is no tree yet; type: make test-picamera" >&2; exit 1; }
mkdir -p "$tree/project" "$tree/frames" "$tree/rig" "$tree/usr/share/libcamera/pipeline/virtual"
touch "$tree/usr/share/libcamera/pipeline/virtual/virtual.yaml"

# GLIBC_TUNABLES: tests/picamera/run.sh says why.
exec unshare --mount sh -eu -c '
    tree=$1 project=$2; shift 2
    mount --make-rprivate /
    mount --bind -o ro "$project" "$tree/project"
    mount --bind -o ro "$project/tests/picamera/virtual.yaml" "$tree/usr/share/libcamera/pipeline/virtual/virtual.yaml"
    mount --rbind /proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 ORT_DISABLE_TELEMETRY=1 LIBCAMERA_LOG_LEVELS="*:ERROR" \
        GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=255 chroot "$tree" "$@"
' enter "$tree" "$project" "$@"
