#!/bin/sh
# `make test-brokers`: three nodes of RabbitMQ 4 on loopback, as `broker init --software rabbitmq` sets them up.
#
#   run.sh     needs root and mmdebstrap; about 4 minutes and 400 MB the first time, then 2; RabbitMQ is in a tree of the cache, and nothing of it is installed
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=${XDG_CACHE_HOME:-$HOME/.cache}/platewarden/rabbitmq-trixie
if [ ! -x "$tree/usr/sbin/rabbitmq-server" ]; then
    rm -rf "$tree.new"
    mkdir -p "$(dirname "$tree")"
    mmdebstrap --quiet --variant=apt --aptopt='APT::Install-Recommends "false"' --include=rabbitmq-server trixie "$tree.new"
    rm -rf "$tree"
    mv "$tree.new" "$tree"
fi
cd "$here/../.."
RABBITMQ_TREE=$tree exec "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider "$here/test_rabbitmq_cluster.py"
