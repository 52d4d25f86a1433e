#!/bin/sh
# Reads the same pictures with a suite's installed camera package and with the whole wheels that it was made from, in turns: the same plates, at what CPU?
#
#   compare_reads.sh SUITE FOLDER WHEELS PICTURES [TURNS]     needs root (mmdebstrap, chroot); ~2 minutes and the reading
#
# FOLDER holds the suite's amd64 packages, WHEELS the wheels of that build (build/deb/wheels-SUITE-amd64), PICTURES files that `read` takes. Both sides
# run on the Python of one fresh tree, with the modules and networks of this checkout; `read` is in no package, so it is laid beside. No plate is printed.
set -eu

[ $# -ge 4 ] || { echo "usage: compare_reads.sh SUITE FOLDER WHEELS PICTURES [TURNS]" >&2; exit 2; }
suite=$1 folder=$2 wheels=$3 pictures=$4 turns=${5:-5} test=compare_reads.sh
. "$(dirname "$0")/tree.sh"

include=$include,nftables
if [ "$suite" = trixie ]; then include=$include,python3-numpy; fi
fresh_tree
camera=$(ls "$folder"/platewarden_*_amd64.deb)
cp "$camera" "$tree/debs"
apt install "/debs/$(basename "$camera")"
for side in package wheels; do
    mkdir -p "$tree/opt/compare/$side" "$tree/pictures"
    cp -r "$here/../agent" "$here/../models" "$tree/opt/compare/$side"
done
cp -a "$tree/usr/lib/platewarden/." "$tree/opt/compare/package"
for wheel in "$wheels"/*.whl; do python3 -m zipfile -e "$wheel" "$tree/opt/compare/wheels"; done
cp "$here/compare_reads.py" "$tree/opt"
trap 'umount "$tree/pictures" 2>/dev/null || true; rm -rf "$work"' EXIT
mount --bind "$pictures" "$tree/pictures"
mount -o remount,bind,ro "$tree/pictures"
inside python3 -B /opt/compare_reads.py "$turns" || die "the package does not read as its wheels do"
