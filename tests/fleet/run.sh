#!/bin/sh
# `make test-fleet`: a fleet on Mosquitto, then on three nodes of RabbitMQ 4, with receivers, nodes and the leader killed (docs/ref/fleet.md).
#
#   run.sh [--sessions N …]     needs root and mmdebstrap for RabbitMQ; what is given is handed on
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/../brokers/tree.sh"
cd "$here/../.."
RABBITMQ_TREE=$tree exec "${PYTHON:-python3}" -m tests.fleet "$@"
