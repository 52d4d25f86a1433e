#!/bin/sh
# Builds a Debian trixie tree that boots: systemd, nftables, Python, and the libraries that the camera's package holds, as wheels.
#
#   build_tree.sh TREE WHEELS PYTHON    needs root (mmdebstrap); about 4 minutes and 700 MB; leaves nothing half-built in TREE
#
# Mirror and package index are the ones that this machine already uses. The project itself is not in the tree: each run lays it over.
set -eu

tree=$1 wheels=$2 python=$3
here=$(cd "$(dirname "$0")" && pwd)
die() { echo "build_tree.sh: $*" >&2; exit 1; }

archive=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' | tr -d ' ' | head -n 1)
[ -n "$archive" ] || die "no Debian mirror in this machine's apt sources: is this a Debian?"

rm -rf "$tree.new"
mkdir -p "$(dirname "$tree")" "$wheels"
mmdebstrap --quiet --variant=apt --aptopt='APT::Install-Recommends "false"' \
    --include=python3,python3-numpy,systemd,dbus,passwd,nftables,iproute2,libgcc-s1,libstdc++6,zlib1g trixie "$tree.new" "$archive"
rm -f "$tree.new"/var/cache/apt/archives/*.deb
"$python" "$here/lay_out.py" libraries "$tree.new" "$wheels"
unshare --net --mount --pid --fork --mount-proc="$tree.new/proc" chroot "$tree.new" python3 -m compileall -q -j 1 /usr/lib/platewarden || true # a wheel's own odd file is no concern
rm -rf "$tree"
mv "$tree.new" "$tree"
