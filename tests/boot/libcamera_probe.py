"""Runs in watch's sandbox, with the tree of tests/picamera beneath: the real picamera2 takes frames
from libcamera's virtual camera, and onnxruntime reads its machine.
"""

import json
import sys

sys.path[:0] = ["/opt/boot", "/usr/lib/platewarden"]


def main() -> None:
    from tests.picamera import glue

    glue.install()  # before picamera2 is loaded
    import onnxruntime
    from picamera2 import Picamera2

    camera = Picamera2()
    size = {
        "main": {"size": (1920, 1080), "format": "NV12"},
        "lores": {"size": (640, 360), "format": "NV12"},
    }
    camera.configure(
        camera.create_video_configuration(
            **size, buffer_count=4, queue=True, display=None, encode=None
        )
    )
    camera.start()
    lengths = []
    for _ in range(5):
        request = camera.capture_request(wait=10)
        lengths.append(len(request.make_buffer("main")))
        request.release()
    model = camera.camera_properties["Model"]
    camera.stop()
    camera.close()
    print(
        json.dumps(
            {"model": model, "lengths": lengths, "providers": onnxruntime.get_available_providers()}
        )
    )


if __name__ == "__main__":
    main()
