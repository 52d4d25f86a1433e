"""Used by the tests of the packages: reads what `doctor` and `doctor --json` said in a fresh tree,
and complains unless exactly what is missing fails.

check_doctor.py TEXT JSON EXIT_CODE NAME…      NAME: of the lines that must fail; nothing else may.
"""

import json
import sys
from pathlib import Path


def complaints(text: str, told: dict, code: int, missing: set[str]) -> list[str]:
    """What an installer could not work with."""
    wrong = []
    failing = {finding["name"] for finding in told["findings"] if finding["health"] == "fail"}
    if failing != missing:
        wrong.append(f"failing are {sorted(failing)}, missing are {sorted(missing)}")
    if told["exit_code"] != code or (code == 0) == bool(missing):
        wrong.append(f"it ended with {code}, and its JSON says {told['exit_code']}")
    for finding in told["findings"]:
        line = next(
            (line for line in text.splitlines() if line[7:].startswith(f"{finding['name']}: ")), ""
        )
        needs_a_fix = finding["health"] in {"fail", "warn"}
        if not line:
            wrong.append(f"the text has no line for {finding['name']}")
        if needs_a_fix and not (finding["fix"].strip() and f"→ {finding['fix']}" in line):
            wrong.append(f"no fix stands beside {finding['name']}")
    return wrong


if __name__ == "__main__":
    wrong = complaints(
        Path(sys.argv[1]).read_text("utf-8"),
        json.loads(Path(sys.argv[2]).read_text("utf-8")),
        int(sys.argv[3]),
        set(sys.argv[4:]),
    )
    for line in wrong:
        print(f"doctor: {line}", file=sys.stderr)
    sys.exit(bool(wrong))
