#!/bin/sh
# `make test-brokers`: three nodes of RabbitMQ 4 on loopback, as `broker init --software rabbitmq` sets them up.
#
#   run.sh     needs root and mmdebstrap; about 4 minutes and 400 MB the first time, then 2
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/tree.sh"
cd "$here/../.."
RABBITMQ_TREE=$tree exec "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider "$here/test_rabbitmq_cluster.py"
