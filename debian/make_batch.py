"""Used by test_first_boot.sh: one camera of a batch under a made-up city's root. make_batch.py
FOLDER, typed in the project's folder.
"""

import subprocess
import sys
from pathlib import Path

from tests.support.provisioning import a_root


def main() -> None:
    folder = Path(sys.argv[1])
    roster = folder.with_name("roster.csv")
    roster.write_text("id,stands,near,mount\ncam-1,Main Street,,fixed\n", encoding="utf-8")
    batch = [
        sys.executable,
        "-m",
        "agent",
        "provision",
        "--batch",
        str(roster),
        "--out",
        str(folder),
        "--anchor",
        str(a_root(folder.parent)),
    ]
    subprocess.run(batch, check=True, timeout=300, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
