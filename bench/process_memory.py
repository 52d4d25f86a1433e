"""A process's memory, as Linux tells it. It imports nothing that would itself weigh."""

from pathlib import Path


def memory_mb(field: str, process: int | str = "self") -> float | None:
    """Of this process or another. VmRSS: now; VmHWM: the most so far; 2^20 bytes. getrusage would
    tell the parent's peak too: Linux keeps it across exec.
    """
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next(
        (int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), None
    )
