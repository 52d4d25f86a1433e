"""Python runs this before any program in the tree: who asks for picamera gets libcamera's virtual
camera under the real library.
"""

import sys

if "picamera" in sys.orig_argv:
    from tests.picamera import glue

    glue.install()
