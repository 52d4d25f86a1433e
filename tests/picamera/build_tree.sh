#!/bin/sh
# Builds a Debian trixie tree with libcamera and picamera2, the library that a Raspberry Pi runs, to use it by chroot.
#
#   build_tree.sh TREE        needs root (mmdebstrap, chroot); about 5 minutes and 1.6 GB; leaves nothing half-built in TREE
#
# Into its environment come picamera2 and what setup.py asks for, so that the whole line runs there, but not the project itself.
# The mirror and the package index are the ones that this machine already uses: they are read from its apt sources and its
# pip configuration when the script runs, and stand nowhere in the project.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
PICAMERA2=picamera2==0.3.38
SUITE=trixie
APT_PACKAGES=ca-certificates,python3-libcamera,libcamera-tools,libcamera-ipa,python3-numpy,python3-pil,python3-av,python3-prctl,\
python3-piexif,python3-libarchive-c,python3-jsonschema,python3-tqdm,python3-pytest,python3-pydantic,python3-pip,python3-venv,\
gcc,libc6-dev,python3-dev

die() { echo "build_tree.sh: $*" >&2; exit 1; }

# The first Debian archive (not the security one) in the one-line or deb822 sources of this machine.
mirror() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' | tr -d ' ' | head -n 1
}

main() {
    tree=$1
    [ "$(id -u)" = 0 ] || die "needs root: sudo $0 $tree"
    command -v mmdebstrap >/dev/null || die "mmdebstrap is missing: apt-get install mmdebstrap"
    archive=$(mirror)
    [ -n "$archive" ] || die "no Debian mirror in this machine's apt sources: is this a Debian?"

    new=$tree.new
    rm -rf "$new"
    mkdir -p "$(dirname "$tree")"
    mmdebstrap --variant=apt --include="$APT_PACKAGES" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
        "$SUITE" "$new" "$archive"

    # pip inside the tree sees the same index and certificates as pip outside.
    cp "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}" "$new/etc/ssl/certs/ca-certificates.crt"
    cp /etc/resolv.conf /etc/hosts "$new/etc/" 2>/dev/null || true
    if [ -f /etc/pip.conf ]; then cp /etc/pip.conf "$new/etc/pip.conf"; fi
    chroot "$new" python3 -m venv --system-site-packages /venv
    python3 "$here/requirements.py" "$here/../../setup.py" "$here/../../constraints.txt" >"$new/tmp/requirements.txt"
    cp "$here/../../constraints.txt" "$new/tmp/"
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt chroot "$new" /venv/bin/pip install --quiet --no-cache-dir \
        --constraint /tmp/constraints.txt --requirement /tmp/requirements.txt "$PICAMERA2"
    rm -f "$new/etc/pip.conf" "$new"/var/cache/apt/archives/*.deb "$new"/tmp/*.txt

    rm -rf "$tree"
    mv "$new" "$tree"
}

[ $# = 1 ] || die "usage: build_tree.sh TREE"
main "$1"
