# shellcheck shell=sh
# Sourced by the tests of the packages: a Debian tree by chroot, and what is asked of commands inside it. Sets: here cache work tree.
#
# Wants $suite and $test (its own name, for messages). The mirror is the one that this machine uses already; inside a tree there is no network.

here=$(cd "$(dirname "$0")" && pwd)
cache=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}
base=$cache/deb-$suite
work=$(mktemp -d)
tree=$work/tree
trap 'rm -rf "$work"' EXIT

die() { echo "$test: $suite: $*" >&2; exit 1; }
say() { echo "$suite: $*"; }
inside() { unshare --net --mount --pid --fork --mount-proc="$tree/proc" chroot "$tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive COLUMNS=100 HOME=/root "$@"; }
apt() { inside apt-get -qq -y --no-install-recommends "$@" >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; die "apt-get $1 failed"; }; }

# Ends with CODE, says WORDS, and shows no traceback.
expect() {
    code=$1 words=$2; shift 2
    got=0; inside "$@" >"$work/said" 2>&1 || got=$?
    [ "$got" = "$code" ] || { cat "$work/said" >&2; die "$*: exit code $got instead of $code"; }
    grep -q -e "$words" "$work/said" || { cat "$work/said" >&2; die "$*: does not say: $words"; }
    if grep -q Traceback "$work/said"; then cat "$work/said" >&2; die "$*: a traceback"; fi
}

# The first Debian archive (not the security one) in the one-line or deb822 sources of this machine.
mirror() {
    found=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
        grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' | tr -d ' ' | head -n 1)
    [ -n "$found" ] || die "no Debian mirror in this machine's apt sources: is this a Debian?"
    echo "$found"
}

needs() {
    [ "$(id -u)" = 0 ] || die "needs root: sudo -E $0 $*"
    for program in "$@"; do command -v "$program" >/dev/null || die "$program is missing: apt-get install --no-install-recommends $program"; done
}

# A copy of a tree that holds what the packages depend on, and nothing else: apt must find them satisfied without a network.
fresh_tree() {
    needs mmdebstrap
    if [ ! -x "$base/usr/bin/python3" ]; then
        archive=$(mirror)
        mkdir -p "$cache"
        mmdebstrap --quiet --variant=apt --aptopt='APT::Install-Recommends "false"' --include=python3,systemd,passwd"${extra:-}" "$suite" "$base.new" "$archive"
        rm -rf "$base" && mv "$base.new" "$base"
    fi
    cp -a "$base" "$tree"
    mkdir "$tree/debs"
}
