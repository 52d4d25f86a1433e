"""A command in a process that dies before its n-th change of files in a folder."""

import os
import sys

EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "shutil.rmtree"}
)
KILLED = 9


def changes(folder, event, arguments):
    """Between two that only read, the disk is the same."""
    reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    return event in EVENTS and not reads and str(folder) in str(arguments[0] if arguments else "")


def ran_until(nth, folder, act):
    """Whether it came to its end."""
    child = os.fork()
    if not child:
        left = nth

        def die(event, arguments):
            nonlocal left
            if changes(folder, event, arguments):
                left -= 1
                if left < 0:
                    os._exit(KILLED)

        sys.addaudithook(die)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) in {0, KILLED}
    return os.WEXITSTATUS(status) == 0


def operations(folder, act):
    """How many changes of files it makes; the folder is changed by them."""
    count = 0
    reading, writing = os.pipe()
    child = os.fork()
    if not child:

        def tell(event, arguments):
            nonlocal count
            if changes(folder, event, arguments):
                count += 1

        sys.addaudithook(tell)
        act()
        os.write(writing, str(count).encode())
        os._exit(0)
    os.waitpid(child, 0)
    found = int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)
    return found
