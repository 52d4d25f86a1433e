#!/usr/bin/env bash
# systemd's PathChanged= forgets a change that comes while its service runs: nothing starts afterwards.
#
# systemd is Debian 13's, booted in a container of its own, with one path unit and one service of 3 s.
# Needs root, mmdebstrap, systemd-nspawn, unshare, a Debian with apt sources. About 3 minutes, 900 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 900 bash "$0"

[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
for program in mmdebstrap:mmdebstrap systemd-nspawn:systemd-container unshare:util-linux; do
    command -v "${program%:*}" >/dev/null || { echo "needs apt-get install ${program#*:}" >&2; exit 2; }
done
grep -qw cgroup2 /proc/filesystems || { echo "needs a kernel with cgroup2" >&2; exit 2; }
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
    2>/dev/null | grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' |
    tr -d ' ' | head -n 1) || true
[ -n "$mirror" ] || { echo "needs a Debian mirror in this machine's apt sources" >&2; exit 2; }

work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
tree=$work/tree
mmdebstrap --quiet --variant=essential --include=systemd=257.*,systemd-sysv \
    --aptopt='APT::Install-Recommends "false"' trixie "$tree" "$mirror" ||
    { echo "could not install what this runs" >&2; exit 2; }

units=$tree/etc/systemd/system
printf '%s\n' '[Path]' 'PathChanged=/watched' >"$units/busy.path"
cat >"$units/busy.service" <<'EOF'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /watched >>/seen; sleep 3'
EOF
cat >"$units/try.service" <<'EOF'
[Unit]
Requires=busy.path
After=busy.path
[Service]
ExecStart=/bin/sh -c 'sleep 1; echo first >/watched; sleep 1; echo second >/watched; sleep 6; cp /seen /seen-then; echo third >/watched; sleep 5; systemctl poweroff'
EOF
mkdir -p "$units/multi-user.target.wants"
ln -s /etc/systemd/system/try.service "$units/multi-user.target.wants/"
echo before >"$tree/watched"

# The mounts and the control group are its own and vanish with it.
export WORK=$work
# shellcheck disable=SC2016 # $WORK is for the inner shell
unshare --mount --net --pid --fork --mount-proc --kill-child bash -euc '
    mount --make-rprivate /
    mkdir -p /run/systemd
    mount -t tmpfs none /run/systemd
    mkdir -p /run/systemd/nspawn
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 none /sys/fs/cgroup
    timeout 120 systemd-nspawn --quiet --directory "$WORK/tree" --boot --register=no --keep-unit \
        --private-network --console=pipe </dev/null >"$WORK/log" 2>&1' ||
    { tail -n 5 "$work/log" >&2; echo "could not boot systemd here" >&2; exit 2; }

chroot "$tree" dpkg-query -W systemd
then=$(tr '\n' ' ' <"$tree/seen-then") later=$(tr '\n' ' ' <"$tree/seen")
echo "One would guess: a change while the service runs starts it once more when it has ended."
echo "Seen, six seconds after the second change: the service saw: $then- after a third: $later"
[ "$then|$later" = "first |first third " ] || { echo "This has changed." >&2; exit 1; }
