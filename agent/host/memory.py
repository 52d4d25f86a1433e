"""Keeps this process's memory off the disk (P9): out of swap, where its unit lets it, and out of a
crash's core file.
"""

import ctypes
import resource

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # <linux/mman.h>, as on x86 and ARM


def keep_out_of_swap() -> bool:
    """Lock every page, those to come too, as it is touched (mlockall(2)); False where that is not
    allowed, and then nothing has changed.

    On a kernel without the memory controller, as a Raspberry Pi's, MemorySwapMax= does nothing.
    Under a limit (LimitMEMLOCK=) it is not tried: pages to come would count against it, and
    allocations fail later, in the middle of something.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    return bool(
        ctypes.CDLL(None, use_errno=True).mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0
    )


def leave_no_core_dump() -> None:
    """A crash must not write opened reads or keys to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
