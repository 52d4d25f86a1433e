#!/usr/bin/env bash
# For minutes after many files were deleted on ext4, each new file beside them costs dozens of times the processor time.
#
# The usual guess: a deleted file is gone, and a new one costs what it did before. But ext4 gives a
# freed inode to nobody for one to five minutes (fs/ext4/ialloc.c, recently_deleted), and a new file
# looks through all such inodes one by one. It begins when the deletions are committed, after 5 s.
# Needs python3 and a temporary folder on ext4 (set TMPDIR). About 20 s, 120 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=30 120 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
kind=$(stat --file-system --format %T "$work")
[ "$kind" = ext2/ext3 ] || { echo "$work lies on $kind: set TMPDIR to a folder on ext4" >&2; exit 2; }
cat >"$work/create.py" <<'EOF'
import os
import sys
import time

DELETED, NEW = 20_000, 300


def cost_us(name, count):
    """Processor time of this process for one new, empty file."""
    begin = time.process_time()
    for number in range(count):
        os.close(os.open(f"{name}{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    return (time.process_time() - begin) / count * 1e6


before = cost_us("before", NEW)
cost_us("many", DELETED)
for number in range(DELETED):
    os.unlink(f"many{number}")
time.sleep(8)
after = cost_us("after", NEW)
print(f"{before:.0f} {after:.0f}")
sys.exit(0 if before < 100 else 3)
EOF
figures=$(cd "$work" && python3 create.py) || {
    echo "files were deleted here in the last minutes: wait five minutes, or set TMPDIR to another folder" >&2
    exit 2
}
read -r before after <<<"$figures"
printf '%s\n' \
    "Linux $(uname -r), ext4" \
    "guess: a new file costs the same before and after 20,000 others were deleted" \
    "seen:  $before us of processor time before, $after us eight seconds after"
if ((after < 8 * before)); then
    echo "CHANGED: deleted files no longer slow new ones" >&2
    exit 1
fi
