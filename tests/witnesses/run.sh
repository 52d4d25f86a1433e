#!/bin/sh
# `make test-witness`: sigsum's witness, of another maker, cosigns our log over HTTP on loopback.
#
#   run.sh     needs mmdebstrap; about a minute; the package is unpacked into a folder of the cache, and nothing of it is installed
#
# Debian trixie's sigsum-go answers 404 to every request unless it is started with GODEBUG=httpmuxgo121=0.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=${XDG_CACHE_HOME:-$HOME/.cache}/platewarden/sigsum-trixie
if [ ! -x "$tree/usr/bin/sigsum-witness" ]; then
    command -v mmdebstrap >/dev/null || { echo "run.sh: mmdebstrap is missing: apt-get install mmdebstrap" >&2; exit 1; }
    rm -rf "$tree.new"
    mkdir -p "$(dirname "$tree")"
    mmdebstrap --variant=extract --include=sigsum-go trixie "$tree.new"
    rm -rf "$tree"
    mv "$tree.new" "$tree"
fi
cd "$here/../.."
SIGSUM=$tree/usr/bin exec "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider "$here/test_sigsum_witness.py"
