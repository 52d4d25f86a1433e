"""The only part of Platewarden that opens sockets: to the addresses that the policy lists, and to
nothing else.
"""

import sys

# paho would route everything through the environment's `mqtt_proxy` if it could import PySocks: it
# never may (egress.refuse_proxies).
sys.modules.setdefault("socks", None)  # type: ignore[arg-type]
