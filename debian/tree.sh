# shellcheck shell=sh
# Sourced by the tests of the packages and by `make test-fresh`: a Debian tree by chroot, and what is
# asked of commands inside it. Sets: here cache work tree.
#
# Wants $suite and $test (its own name, for messages). Another $base, $include or $extra may be set
# before fresh_tree; $recommends=true takes what these recommend too, and the packages of $beside lie
# in /beside, with what they need, not installed. The mirror is the one that this machine uses
# already; `inside` has no network.

here=$(cd "$(dirname "$0")" && pwd)
cache=${PLATEWARDEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/platewarden}
base=$cache/deb-$suite
include=python3,systemd,passwd
recommends=false
beside=
work=$(mktemp -d)
tree=$work/tree
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

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

fetch_beside() {
    mkdir "$base.new/beside"
    cp /etc/resolv.conf "$base.new/etc/"
    # shellcheck disable=SC2016,SC2086  # expanded inside, one word a package
    chroot "$base.new" sh -ec 'cd /beside; apt-get -qq update
        apt-get -qq download $(apt-get install --simulate --no-install-recommends "$@" | sed -n "s/^Inst \([^ ]*\).*/\1/p")
        rm -rf /var/lib/apt/lists/*' sh $beside || die "cannot fetch: $beside"
}

# A copy of a tree that holds $include and what it depends on, and nothing else. It is kept and
# copied from then on; other packages, another tree.
fresh_tree() {
    needs mmdebstrap
    recipe="$suite $include${extra:-} $recommends $beside"
    if [ ! -d "$base" ] || [ "$(cat "$base.recipe" 2>/dev/null)" != "$recipe" ]; then
        archive=$(mirror) || exit 1
        mkdir -p "$cache"
        rm -rf "$base.new"
        mmdebstrap --quiet --variant=apt --aptopt="APT::Install-Recommends \"$recommends\"" \
            --include="$include${extra:-}" "$suite" "$base.new" "$archive" ||
            die "mmdebstrap cannot make the tree"
        [ -z "$beside" ] || fetch_beside
        rm -rf "$base" && mv "$base.new" "$base"
        echo "$recipe" >"$base.recipe"
    fi
    cp -a "$base" "$tree"
    mkdir "$tree/debs"
}
