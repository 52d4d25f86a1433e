#!/usr/bin/env bash
# pyrage.decrypt takes four times the CPU for twice the recipients; decrypt_io on the same bytes does not.
#
# Needs python3 with venv. About 15 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: pyrage==1.4.0
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import io
import sys
import time
from importlib.metadata import version

import pyrage

FEW, MANY = 50, 400


def cpu_s(call):
    spent = []
    for _ in range(3):
        begun = time.process_time()
        call()
        spent.append(time.process_time() - begun)
    return min(spent)


print(f"pyrage {version('pyrage')}")
spent = {}
for count in (FEW, MANY):
    identities = [pyrage.x25519.Identity.generate() for _ in range(count)]
    own = identities[-1:]
    sealed = pyrage.encrypt(b"x" * 1000, [one.to_public() for one in identities])
    spent["decrypt", count] = cpu_s(lambda: pyrage.decrypt(sealed, own))
    spent["decrypt_io", count] = cpu_s(lambda: pyrage.decrypt_io(io.BytesIO(sealed), io.BytesIO(), own))
growth = spent["decrypt", MANY] / spent["decrypt", FEW]
print(f"One would guess: {MANY // FEW} times the recipients cost {MANY // FEW} times the CPU.")
print(f"Seen: decrypt {growth:.0f} times ({spent['decrypt', FEW]:.3f} s to {spent['decrypt', MANY]:.2f} s); "
      f"decrypt_io on the same bytes needs {spent['decrypt_io', MANY]:.2f} s.")
changed = growth < 25 or spent["decrypt", MANY] < 5 * spent["decrypt_io", MANY]
sys.exit("This has changed." if changed else None)
EOF
