"""One night: `python -m hw_tests.night [--env FILE] [--out DIR] [--notice FILE] [PYTEST OPTIONS…]`.

One line for a timer, for CI, for a person. Exit code 0: all that ran passed; 1: the night
failed; 2: the command line or the notice's file is wrong, and nothing ran.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from hw_tests.history.record import read_all
from hw_tests.night.notice import Notice, NoticeError, load, notice_of

ROOT = Path(__file__).parents[2]
LONGEST_S = 6 * 3600.0


def main(arguments: list[str]) -> int:
    given, more = options().parse_known_args(arguments)
    more = [word for word in more if word != "--"]
    try:
        ways = load(given.notice) if given.notice else []
    except NoticeError as error:
        print(f"platewarden night: {error}", file=sys.stderr)
        return 2
    history = given.out / "history"
    before = {run.at for run in read_all(history)[0]} if history.is_dir() else set()
    ended = run_tests(given.env, given.out, more, given.longest_s)
    runs = [run for run in read_all(history)[0] if run.at not in before] if ended else []
    notice = notice_of(runs[-1] if runs else None, ended)
    if notice is None:
        print("platewarden night: all that ran passed")
        return 0
    print(f"platewarden night: {notice.headline}", file=sys.stderr)
    return tell(notice, ways)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hw_tests.night", allow_abbrev=False)
    parser.add_argument("--env", default="hw_tests/simulated.yaml", help="labgrid's environment")
    parser.add_argument("--out", type=Path, default=Path("hw-out"), help="page, history, JUnit")
    parser.add_argument("--notice", type=Path, help="whom to tell of a failed night (TOML)")
    parser.add_argument("--longest-s", type=float, default=LONGEST_S, help="then it is stopped")
    return parser


def run_tests(environment: str, out: Path, more: list[str], longest_s: float) -> str:
    """How pytest ended: `0`, its other exit code, or what kept it from ending."""
    out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "pytest", "hw_tests", "-p", "labgrid.pytestplugin"]
    words += ["--lg-env", environment, "--hw-out", str(out.resolve())]
    words += ["--hw-history", str((out / "history").resolve())]
    words += ["--junitxml", str((out / "junit.xml").resolve()), *more]
    try:
        return str(subprocess.run(words, cwd=ROOT, timeout=longest_s, check=False).returncode)
    except subprocess.TimeoutExpired:
        return f"stopped after {longest_s:g} s"


def tell(notice: Notice, ways: list) -> int:
    """By every way; one that fails is said, and the others are tried. 1: the night failed."""
    for way in ways:
        try:
            way.send(notice)
        except NoticeError as error:
            print(f"platewarden night: the notice was not sent: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
