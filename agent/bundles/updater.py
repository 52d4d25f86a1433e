"""python-tuf's updater, loaded without the network library that it would bring along.

`tuf.ngclient` imports urllib3, and urllib3 opens a socket while it is imported (it tries whether
the machine speaks IPv6). In `watch` no socket is opened by anybody (P2), so an empty module takes
the place of the one that imports urllib3. Whoever wants to fetch over HTTP with it gets an error.
"""

import sys
from types import ModuleType

_FETCHER = "tuf.ngclient.urllib3_fetcher"


class _NoFetcher:
    """Stands where tuf's HTTP fetcher would."""

    def __init__(self, *_arguments: object, **_options: object) -> None:
        raise NotImplementedError("Platewarden hands its own fetcher to the updater")


if _FETCHER not in sys.modules:
    _absent = ModuleType(_FETCHER, "Left out: see agent/bundles/updater.py")
    # A module's attributes are made as they come, of which mypy knows nothing.
    _absent.Urllib3Fetcher = _NoFetcher  # type: ignore[attr-defined]
    sys.modules[_FETCHER] = _absent

# Imported after the module above has taken its place.
from tuf.ngclient import FetcherInterface, Updater, UpdaterConfig  # noqa: E402

__all__ = ["FetcherInterface", "Updater", "UpdaterConfig"]
