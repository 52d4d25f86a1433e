"""Runs inside deliver's sandbox in deliver's place: every way out of tests/faults/walls, told as
JSON.

unit_attempts.py ADDRESS PORT     the broker's
"""

import json
import sys
from pathlib import Path

sys.path[:0] = ["/usr/lib/platewarden", str(Path(__file__).parent)]

from attempts import attempts, told  # noqa: E402

from agent.core.policy.policy import Broker  # noqa: E402  # the path must be set first
from agent.network.egress import Egress, install_guard  # noqa: E402


def main() -> None:
    listed, port = sys.argv[1], int(sys.argv[2])
    broker = Broker("city-hall", "h.example", ((listed, port),), "", frozenset(), frozenset())
    install_guard(Egress([broker]), lambda _event, _destination: None)
    print(json.dumps({one.name: told(one.do) for one in attempts(listed, port)}))


if __name__ == "__main__":
    main()
