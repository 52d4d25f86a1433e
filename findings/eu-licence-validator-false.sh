#!/usr/bin/env bash
# eu-licence-validator says False of countries without a rule, of umlauts, and of Dutch series since 2013.
#
# Valid forms by the districts of Germany's vehicle registration (FZV) and by the Dutch RDW's series.
# Needs python3 with venv. About 15 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: eu-licence-validator==0.1.27 wasmtime==50.0.1
} || { echo "could not install what this runs" >&2; exit 2; }

"$work/venv/bin/python" - <<'EOF'
import sys
from importlib.metadata import version

from eu_licence_validator import is_valid

EXPECTED = {  # country, form: what the library says
    ("DE", "FUE AB 12"): True,  # no district; Fürth's is written with the umlaut
    ("DE", "F\u00dc AB 12"): False,
    ("DE", "T\u00dc AB 12"): False,
    ("NL", "00-XXX-0"): True,  # series 7, from 2008
    ("NL", "0-XXX-00"): False,  # 8, from 2013
    ("NL", "XX-000-X"): False,  # 9, from 2015
    ("NL", "X-000-XX"): False,  # 10, from 2019
    ("SE", "AAA 000"): False,  # no rule for Sweden and Denmark
    ("DK", "AA 00 000"): False,
    ("ZZ", "AA 00 000"): False,  # no country at all
}
seen = {(country, form): is_valid(form, country) for country, form in EXPECTED}
print(f"eu-licence-validator {version('eu-licence-validator')}")
print("One would guess: forms in use are valid, and a country without a rule raises an error.")
for (country, form), said in seen.items():
    print(f"Seen, {country} {form}: {said}.")
sys.exit(None if seen == EXPECTED else "This has changed.")
EOF
