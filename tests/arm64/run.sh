#!/bin/sh
# `make test-arm64`: runs the tests of vision, sealing, policy and mailboxes on aarch64, emulated as the processor of a Raspberry Pi 4.
#
#   tests/arm64/run.sh [PYTEST ARGUMENTS]     needs root, mmdebstrap, Linux 6.7 or newer; the first run builds a tree (~2 minutes and 1 GB)
#
#   CPU                 the processor (default cortex-a72, a Pi 4; cortex-a53: Pi 3 and Zero 2 W; cortex-a76: Pi 5)
#   DEB                 an arm64 package to unpack and try as well (default: the one in dist/trixie, if `make deb` left one; none: no package)
#   PLATEWARDEN_CACHE   where the Debian trixie tree is kept (default: ~/.cache/platewarden)
#
# The wheels are those of the arm64 packages: names from setup.py, versions and bytes from requirements.lock. An instruction that
# the processor lacks ends the run with SIGILL, as it would on the Pi. How long something takes here says nothing about a Pi.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
cache=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}
tree=$cache/arm64-trixie
python=${PYTHON:-python3}

die() { echo "test-arm64: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root (chroot, a private binfmt_misc); type: sudo -E $0"
for program in mmdebstrap unshare chroot; do command -v "$program" >/dev/null || die "$program is missing: apt-get install --no-install-recommends mmdebstrap util-linux"; done

# Another recipe or other wheels: another tree.
recipe=$(cat "$here/build_tree.py" "$project/requirements.lock" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$tree/recipe" 2>/dev/null)" != "$recipe" ]; then
    echo "test-arm64: building $tree (once; see $cache/arm64.log)"
    mkdir -p "$cache"
    "$python" "$here/build_tree.py" "$tree" >"$cache/arm64.log" 2>&1 || { tail -n 20 "$cache/arm64.log" >&2; exit 1; }
    echo "$recipe" >"$tree/recipe"
fi
mkdir -p "$tree/project" "$tree/package" "$tree/pycache"
deb=${DEB:-$(ls "$project"/dist/trixie/platewarden_*_arm64.deb 2>/dev/null || true)}
if [ "$deb" = none ]; then deb=; fi
[ -n "$deb" ] || echo "test-arm64: without an arm64 package (make deb SUITE=trixie ARCH=arm64 leaves one): the tests run, the package is not tried"

# In a user namespace of its own, binfmt_misc is private too: this machine's handlers stay as they are.
exec unshare --user --map-root-user --mount --net --pid --fork sh -eu "$here/inside.sh" "$tree" "$project" "${CPU:-cortex-a72}" "$deb" "$@"
