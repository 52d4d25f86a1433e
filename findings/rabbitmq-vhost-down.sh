#!/usr/bin/env bash
# Three new RabbitMQ nodes that load many users as they start serve nobody on two of them, and that stays.
#
# The virtual host is made by one node's import, while the others still import and so do not count as running.
# RabbitMQ looks again 10 s after it sees a node, and 30 s after its start; while a node imports, that ends the looking.
# The broker is Debian 13's, in a tree and namespaces of its own.
# Needs root, mmdebstrap, unshare, ip, a Debian with apt sources. About 8 minutes, 3600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 3600 bash "$0"

[ "$(id -u)" = 0 ] || { echo "needs root" >&2; exit 2; }
for program in mmdebstrap:mmdebstrap unshare:util-linux ip:iproute2; do
    command -v "${program%:*}" >/dev/null || { echo "needs apt-get install ${program#*:}" >&2; exit 2; }
done
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources \
    2>/dev/null | grep -Eo '^(URIs:|deb )[^#]*' | grep -Eo '(https?|file)://[^ ]*/debian/?( |$)' |
    tr -d ' ' | head -n 1) || true
[ -n "$mirror" ] || { echo "needs a Debian mirror in this machine's apt sources" >&2; exit 2; }

work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
mmdebstrap --quiet --variant=apt --include=rabbitmq-server=4.0.5* \
    --aptopt='APT::Install-Recommends "false"' trixie "$work/tree" "$mirror" ||
    { echo "could not install what this runs" >&2; exit 2; }

here=$work/tree/run/findings
mkdir "$here"
echo findings >"$here/.erlang.cookie"
chmod 400 "$here/.erlang.cookie"
echo '[].' >"$here/plugins"
cat >"$here/rabbitmq.conf" <<'EOF_CONF'
listeners.tcp = none
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = one@localhost
cluster_formation.classic_config.nodes.2 = two@localhost
cluster_formation.classic_config.nodes.3 = three@localhost
load_definitions = /run/findings/definitions.json
EOF_CONF

definitions() { # so many users, who may do anything
    local users=() rights=()
    for number in $(seq "$1"); do
        users+=("{\"name\": \"user-$number\", \"password_hash\": \"\", \"tags\": []}")
        rights+=("{\"user\": \"user-$number\", \"vhost\": \"/\", \"configure\": \"\", \"write\": \".*\", \"read\": \".*\"}")
    done
    (
        IFS=,
        echo "{\"vhosts\": [{\"name\": \"/\"}], \"users\": [${users[*]}], \"permissions\": [${rights[*]}]}"
    )
}

chroot "$work/tree" dpkg-query -W rabbitmq-server
for count in 10 10000; do
    definitions "$count" >"$here/definitions.json"
    export WORK=$work COUNT=$count
    # shellcheck disable=SC2016 # what stands there is for the inner shell
    unshare --mount --net --pid --fork --kill-child bash -euc '
        ip link set lo up
        mount -t proc proc "$WORK/tree/proc"
        here=/run/findings
        with() { # a node, a program and its words
            local node=$1 port=2567$2
            shift 2
            chroot "$WORK/tree" env HOME=$here RABBITMQ_NODENAME="$node@localhost" RABBITMQ_DIST_PORT="$port" \
                RABBITMQ_LOG_BASE="$here/$COUNT" RABBITMQ_MNESIA_BASE="$here/$COUNT/data" \
                RABBITMQ_ENABLED_PLUGINS_FILE=$here/plugins RABBITMQ_CONFIG_FILE=$here/rabbitmq.conf \
                "/usr/lib/rabbitmq/bin/$1" "${@:2}"
        }
        with one 1 rabbitmq-server >"$WORK/log-1" 2>&1 &
        with two 2 rabbitmq-server >"$WORK/log-2" 2>&1 &
        with three 3 rabbitmq-server >"$WORK/log-3" 2>&1 &
        for node in one:1 two:2 three:3; do
            until with "${node%:*}" "${node#*:}" rabbitmqctl await_startup --timeout 600 >"$WORK/await" 2>&1; do sleep 2; done
        done
        sleep 90
        up=0
        for node in one:1 two:2 three:3; do
            with "${node%:*}" "${node#*:}" rabbitmq-diagnostics check_virtual_hosts >>"$WORK/vhosts" 2>&1 && up=$((up + 1))
        done
        echo $up >"$WORK/up-$COUNT"'
done
few=$(cat "$work/up-10") many=$(cat "$work/up-10000")
echo "One would guess: once all three nodes say that they have started, the virtual host that they loaded is up on each."
echo "Seen: 90 s after that it is up on $few of 3 nodes with 10 users, and on $many of 3 with 10000."
[ "$few $many" = "3 1" ] || { tail -n 12 "$work/vhosts"; echo "This has changed." >&2; exit 1; }
