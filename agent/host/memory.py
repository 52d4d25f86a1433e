"""Keeps this process's memory out of swap (P9), where its unit lets it: on a kernel without the
memory controller, as a Raspberry Pi's, MemorySwapMax= does nothing.
"""

import ctypes
import resource

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4  # <linux/mman.h>, as on x86 and ARM


def keep_out_of_swap() -> bool:
    """Lock every page, those to come too, as it is touched (mlockall(2)); False where that is not
    allowed, and then nothing has changed.

    Under a limit (LimitMEMLOCK=) it is not tried: pages to come would count against it, and
    allocations fail later, in the middle of something.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    return bool(
        ctypes.CDLL(None, use_errno=True).mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0
    )
