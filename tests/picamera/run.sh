#!/bin/sh
# `make test-picamera`: runs agent/camera/picamera.py against the real picamera2, with libcamera's virtual camera for a sensor.
#
#   PLATEWARDEN_CACHE   where the Debian trixie tree is kept (default: ~/.cache/platewarden); built on the first run, about 3 minutes
#
# Needs root for chroot and mounts; these live in a mount namespace of their own and vanish with it. The tests have a loopback and no network.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
cache=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}
tree=$cache/picamera-trixie

[ "$(id -u)" = 0 ] || { echo "run.sh: needs root (chroot); type: sudo -E $0" >&2; exit 1; }
if ! command -v mmdebstrap >/dev/null; then
    echo "run.sh: installing mmdebstrap"
    apt-get update -qq && apt-get install -y -qq --no-install-recommends mmdebstrap
fi

# A tree made by another version of the builder, or for other dependencies, is another tree.
recipe=$({ cat "$here/build_tree.sh"; python3 "$here/requirements.py" "$project/setup.py" "$project/constraints.txt"; } | sha256sum | cut -d' ' -f1)
if [ "$(cat "$tree/recipe" 2>/dev/null)" != "$recipe" ]; then
    echo "run.sh: building $tree (once; see $cache/build.log)"
    mkdir -p "$cache"
    "$here/build_tree.sh" "$tree" >"$cache/build.log" 2>&1 || { tail -n 20 "$cache/build.log" >&2; exit 1; }
    echo "$recipe" >"$tree/recipe"
fi

mkdir -p "$tree/project" "$tree/frames" "$tree/street" "$tree/usr/share/libcamera/pipeline/virtual"
cp "$here/virtual.yaml" "$tree/usr/share/libcamera/pipeline/virtual/virtual.yaml"

# libcamera 0.4.0 reads a buffer status that it never set (upstream fixed it later): a malloc that always hands out the same
# bytes makes that status "success" instead of chance.
exec unshare --mount --net --pid --fork sh -eu -c '
    tree=$1 project=$2; shift 2
    mount --make-rprivate /
    mount --bind -o ro "$project" "$tree/project"
    mount -t tmpfs none "$tree/frames"
    mount -t tmpfs none "$tree/street"
    mount -t tmpfs none "$tree/tmp"
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 PYTHONPYCACHEPREFIX=/tmp/pycache PYTHONPATH=/project ORT_DISABLE_TELEMETRY=1 \
        LIBCAMERA_LOG_LEVELS="*:ERROR" \
        GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=255 \
        chroot "$tree" sh -eu -c "cd /project && /venv/bin/python -m tests.picamera.frames && /venv/bin/python -m tests.picamera.loopback && exec timeout 900 /venv/bin/python -m pytest \
            -p no:cacheprovider -c /dev/null --rootdir /project --confcutdir tests/picamera -o pythonpath=/project -W ignore::DeprecationWarning -q tests/picamera \"\$@\"" pytest "$@"
' run "$tree" "$project" "$@"
