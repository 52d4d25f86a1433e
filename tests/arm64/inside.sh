#!/bin/sh
# The part of run.sh inside its namespaces: emulator, mounts, the package, the tests.
set -eu
tree=$1 project=$2 cpu=$3 deb=$4; shift 4

mount --make-rprivate /
mount -t tmpfs none "$tree/tmp"
mkdir "$tree/tmp/binfmt"
mount -t binfmt_misc none "$tree/tmp/binfmt" 2>/dev/null || { echo "test-arm64: no binfmt_misc in a user namespace: this needs Linux 6.7 or newer, not $(uname -r)" >&2; exit 1; }
# magic and mask of a 64-bit little-endian ARM program; F: the emulator is opened now, from outside the tree that is entered later
printf '%s' ":aarch64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:$tree/qemu-aarch64:F" >"$tree/tmp/binfmt/register"
# it must stay mounted: with its last mount, a private binfmt_misc forgets its handlers

mount --bind -o ro "$project" "$tree/project"
mount -t tmpfs none "$tree/package"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev"
mount --rbind /sys "$tree/sys"
ip link set lo up 2>/dev/null || true

# compiling a module takes long under emulation: what was compiled stays in the tree
emulated() {
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 QEMU_CPU="$cpu" PYTHONPYCACHEPREFIX=/pycache PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 COLUMNS=160 "$@"
}

emulated PYTHONPATH=/opt/libraries chroot "$tree" python3 /project/tests/arm64/probe.py "$cpu"

if [ -n "$deb" ]; then
    dpkg-deb -x "$deb" "$tree/package"
    # as installed: its own folder before the system's, nothing of pip's
    mkdir -p "$tree/usr/lib/platewarden"
    mount --bind "$tree/package/usr/lib/platewarden" "$tree/usr/lib/platewarden"
    # no maintainer script made the links to Debian's BLAS that its numpy follows
    blas=/usr/lib/aarch64-linux-gnu/blas:/usr/lib/aarch64-linux-gnu/lapack
    emulated LD_LIBRARY_PATH="$blas" chroot "$tree" python3 -IB /package/usr/bin/platewarden --version
    emulated LD_LIBRARY_PATH="$blas" chroot "$tree" python3 -IB /project/tests/arm64/networks.py
    echo "test-arm64: $(basename "$deb") starts as $cpu, and its own networks run"
fi

# a test that spawns Python gets the same libraries by PYTHONPATH
cd "$tree/project"
emulated PYTHONPATH=/project:/opt/libraries:/opt/tools HYPOTHESIS_PROFILE=emulated chroot "$tree" sh -eu -c 'cd /project && exec python3 -m pytest \
    -p tests.arm64.choose -p no:cacheprovider -m "not slow" -o timeout=900 -q --durations=15 "$@"' pytest "$@"
