"""What real picamera2 needs to run without a Raspberry Pi: stand-ins for three pieces of hardware,
and none of its logic.

`install()` must run before the first `import picamera2`. All that agent/camera/picamera.py touches
(configuration, event loop, requests, buffers, timeouts, shutdown) stays the library's own code, on
libcamera's "virtual" pipeline.
"""
# Seen by mypy and ruff without picamera2 and libcamera, which exist in the trixie tree only.

import mmap
import os
import sys
from typing import Any
from unittest.mock import MagicMock


def install() -> None:
    """Stub the display library, then put memory in place of DMA buffers and a size in place of the
    sensor's modes.
    """
    # Imported for the DRM preview, which nobody opens here.
    sys.modules["pykms"] = sys.modules["kms"] = MagicMock()

    import libcamera
    import picamera2.picamera2 as library
    from picamera2.allocators.allocator import Allocator

    class Mapping:
        """As picamera2's DmaSync: hands out a buffer's memory; ordinary memory needs no cache
        flush.
        """

        def __init__(self, allocator: Any, buffer: Any, _write: bool) -> None:
            self.memory = allocator.memory[buffer]

        def __enter__(self) -> mmap.mmap:
            return self.memory

        def __exit__(self, *_: object) -> None:
            """Unmapped with the allocator."""

    class MemoryFileAllocator(Allocator):
        """Buffers in memfds, for a kernel without /dev/dma_heap; two planes each, because libcamera
        checks that NV12 has two.
        """

        def __init__(self) -> None:
            self.sync, self.memory, self.by_stream = Mapping, {}, {}

        def allocate(self, libcamera_config: Any, _use_case: Any) -> None:
            self.by_stream = {
                config.stream: [self.buffer(config) for _ in range(config.buffer_count)]
                for config in libcamera_config
            }

        def buffer(self, config: Any) -> Any:
            luma, file, planes = config.stride * config.size.height, os.memfd_create("frame"), []
            os.ftruncate(file, config.frame_size)
            for offset, length in ((0, luma), (luma, config.frame_size - luma)):
                planes.append(libcamera.FrameBuffer.Plane())
                planes[-1].fd, planes[-1].offset, planes[-1].length = file, offset, length
            buffer = libcamera.FrameBuffer(planes)
            self.memory[buffer] = mmap.mmap(file, config.frame_size)
            os.close(file)  # libcamera and the mapping hold their own
            return buffer

        def buffers(self, stream: Any) -> list[Any]:
            return self.by_stream[stream]

    library.DmaAllocator = MemoryFileAllocator
    # The virtual pipeline has no raw role; picamera2 asks for one only to learn the sensor's size.
    library.Picamera2._get_raw_modes = lambda _camera: [{"format": "SBGGR8", "size": (1920, 1080)}]
