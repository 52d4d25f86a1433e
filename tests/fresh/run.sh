#!/bin/sh
# `make test-fresh`: what the README tells a new user to type runs to its end in a bare Debian.
#
#   run.sh SUITE [COMMAND…]     SUITE: bookworm or trixie; COMMAND: a target of make (demo, test);
#                               none: only look whether a bare tree can be made and entered here
#
#   PLATEWARDEN_CACHE   where bare trees and logs are kept (default: ~/.cache/platewarden)
#   TMPDIR              where the tree of this run lies until its end (default: /var/tmp; 3 GB)
#
# Needs root and mmdebstrap. The tree holds python3-venv, make and git, and what these depend on;
# it has the network, but no program, package or file of this machine. Each command gets a new clone
# of HEAD: what is not committed is not tried, and nothing lies beside the clone. Where apt, pip
# and npm fetch from is asked of this machine (sources.py).
set -eu

[ $# -ge 1 ] || { echo "usage: run.sh SUITE [COMMAND…]" >&2; exit 2; }
suite=$1 test=test-fresh
shift
export TMPDIR="${TMPDIR:-/var/tmp}"
. "$(dirname "$0")/../../debian/tree.sh"
base=$cache/fresh-$suite include=python3-venv,make,git
project=$(cd "$here/../.." && pwd)
place=/srv/platewarden

# One line for a stage: what, how it ended, how long it took.
stage() {
    log=$cache/fresh-$suite-$2.log began=$(date +%s)
    printf '%s: %s … ' "$suite" "$1"
    shift 2
    mkdir -p "$cache"
    got=0; ("$@") >"$log" 2>&1 </dev/null || got=$?
    took=$(($(date +%s) - began))
    if [ $got = 0 ]; then said=passed; else said="failed with $got"; fi
    echo "$said after $((took / 60)) min $((took % 60)) s"
}

# What runs of tests say at their ends: what was skipped, counted by reason, what failed, the count.
closing_lines() {
    grep -aE '^(SKIPPED|XFAIL|FAILED|ERROR) |^=+ .*[0-9]s( \(.*\))? =+$|^(check|test): ' "$log" | awk '
        /^SKIPPED/ { reason = $0; sub(/^[^ ]+ [^ ]+ [^ ]+ /, "", reason)
            if (!(reason in count)) order[++reasons] = reason
            count[reason] += substr($2, 2); next }
        /^=/ { for (i = 1; i <= reasons; i++) print "  skipped " count[order[i]] ": " order[i]
            split("", count); reasons = 0 }
        { print }'
}

enter() {
    proxies=$(env | grep -iE '^(https?|all|no)_proxy=' | tr -d ' ' || true)
    # shellcheck disable=SC2086  # one word a proxy
    unshare --mount --pid --fork --kill-child sh "$here/inside.sh" "$tree" "$work/folders" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 $proxies "$@"
}

# Of CI only what is printed can be read later: there it is more.
give_up() {
    if [ -n "${CI:-}" ]; then lines=600; else lines=20; fi
    tail -n $lines "$log" >&2
    die "the whole log: $log"
}

needs mmdebstrap unshare git
commit=$(git -C "$project" rev-parse --short HEAD) || die "$project is no git checkout"
changed=$(git -C "$project" status --porcelain --untracked-files=no | wc -l)
say "trying commit $commit"
[ "$changed" = 0 ] || say "changed but not committed, so not tried: $changed files"
git -c advice.detachedHead=false clone --quiet --no-hardlinks "$project" "$work/clone"

archive=$(mirror)
stage "bare tree" tree fresh_tree
[ $got = 0 ] || give_up
"${PYTHON:-python3}" "$here/sources.py" "$tree" "$archive" "$suite" >"$work/folders"
stage "entering it" enter enter make --version
[ $got = 0 ] || give_up

for command in "$@"; do
    rm -rf "$tree$place"
    cp -a "$work/clone" "$tree$place"
    stage "make $command" "$command" enter make --directory "$place" "$command"
    closing_lines
    [ $got = 0 ] || give_up
done
