"""Run by compare_reads.sh inside a tree: two folders of libraries read /pictures in turns. Prints
counts and CPU, never a plate, and ends with 1 where any read differs.
"""

import json
import os
import statistics
import subprocess
import sys

SIDES = ("package", "wheels")
START = """
import sys
sys.path.insert(0, sys.argv.pop(1))
sys.path.append("/opt/compare/wheels")  # for what `read` needs and no package has: PyAV
import cv2, numpy, onnxruntime
print(*(module.__file__ for module in (cv2, numpy, onnxruntime)), file=sys.stderr)
from agent.cli import main
main()
"""


def read(side: str) -> tuple[list[dict], float, str]:
    """Each picture as `read --json` tells it, the process's CPU in s, whose libraries it had."""
    command = [sys.executable, "-IBc", START, f"/opt/compare/{side}", "read", "--json", "/pictures"]
    before = os.times()
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "ORT_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=3600, check=True
    )
    after = os.times()
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return (
        [json.loads(line) for line in done.stdout.splitlines()],
        spent,
        done.stderr.split("\n")[0],
    )


def texts(told: list[dict]) -> list[tuple]:
    """File by file, the texts alone: what somebody acts on."""
    return [(one["file"], [plate["text"] for plate in one["plates"]]) for one in told]


def plates(told: list[dict]) -> list[tuple]:
    """File by file, all that is told of its plates."""
    return [(one["file"], one["plates"]) for one in told]


def main() -> None:
    turns = int(sys.argv[1])
    told, costs, whole = {}, {side: [] for side in SIDES}, {side: [] for side in SIDES}
    for turn in range(turns):
        for side in SIDES if turn % 2 else reversed(SIDES):
            told[side], spent, files = read(side)
            costs[side].append(sum(one["cpu_ms"] for one in told[side]) / len(told[side]))
            whole[side].append(spent)
            if turn == 0:
                print(f"{side}: {files}")
    first, second = (told[side] for side in SIDES)
    same = sum(one == other for one, other in zip(texts(first), texts(second), strict=True))
    exact = sum(one == other for one, other in zip(plates(first), plates(second), strict=True))
    ratios = [one / other for one, other in zip(*(costs[side] for side in SIDES), strict=True)]
    print(f"pictures: {len(first)}; plates: {sum(len(one['plates']) for one in first)}")
    print(f"the same texts: {same}; the same figures to the last digit: {exact}")
    for side in SIDES:
        print(
            f"{side}: {statistics.median(costs[side]):.2f} ms CPU a picture, "
            f"{statistics.median(whole[side]):.2f} s the whole process (medians of {turns})"
        )
    print(
        f"package / wheels: {statistics.median(ratios):.3f}, from {min(ratios):.3f} "
        f"to {max(ratios):.3f}; of the medians "
        f"{statistics.median(costs['package']) / statistics.median(costs['wheels']):.3f}"
    )
    sys.exit(same != len(first))


if __name__ == "__main__":
    main()
