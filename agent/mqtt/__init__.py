"""The line between a camera and its recipients: topics, the pinned and bounded TLS socket, and one
driver of paho.

Whom to dial is the caller's business.
"""

import sys

# paho would route everything through the environment's `mqtt_proxy` if it could import PySocks: it
# never may (proxy.refuse_proxy).
sys.modules.setdefault("socks", None)  # type: ignore[arg-type]
