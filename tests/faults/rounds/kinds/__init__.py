"""Every kind of fault, in the order in which the rounds take them."""

from tests.faults.rounds.kinds import (
    broker_away,
    certificate,
    clock_jump,
    denied_recipient,
    disk_full,
    forgetting_broker,
    kill,
    packet_loss,
    partition,
    power_cut,
    read_only,
    reordering_broker,
    replaying_broker,
    size_limit,
)

KINDS = (
    *kill.KINDS,
    *power_cut.KINDS,
    broker_away.KIND,
    partition.KIND,
    packet_loss.KIND,
    *disk_full.KINDS,
    read_only.KIND,
    clock_jump.KIND,
    *certificate.KINDS,
    forgetting_broker.KIND,
    replaying_broker.KIND,
    reordering_broker.KIND,
    denied_recipient.KIND,
    size_limit.KIND,
)
