"""Refuses what would redirect paho without a word: `mqtt_proxy` in the environment, and PySocks."""

import sys
from collections.abc import Mapping

from agent.core.reasons import Reason
from agent.errors import DestinationRefusedError


def refuse_proxy(environment: Mapping[str, str]) -> None:
    """With PySocks importable, paho obeys `mqtt_proxy`: the connection would go elsewhere.

    Raises DestinationRefusedError(proxy-forbidden).
    """
    for name in environment:
        if name.lower() == "mqtt_proxy":
            raise DestinationRefusedError(
                Reason.PROXY_FORBIDDEN,
                "is set: it would redirect the connection to the broker",
                where=f"environment variable {name}",
                fix=f"unset {name}",
            )
    if sys.modules.get("socks") is not None:
        raise DestinationRefusedError(
            Reason.PROXY_FORBIDDEN,
            "PySocks is loaded in this process",
            fix="uninstall PySocks beside Platewarden",
        )
