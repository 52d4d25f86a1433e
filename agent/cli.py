"""The command line: picks a command (imported only when picked) and turns errors into exit
codes.

Typer is a third of what `status` costs, and is loaded where a line needs it
(docs/design/start.md).
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from agent.commands.plain_line import plain_call
from agent.core.text.visible import visible
from agent.errors import ManyFaultsError, PlatewardenError, UsageError

CAMERA_LIBRARIES = frozenset({"av", "cv2", "onnxruntime"})  # what setup.py's extra `camera` brings


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and exit.

    Errors go to stderr, a line for each fault; a traceback is shown only with PLATEWARDEN_DEBUG=1.
    """
    try:
        _require_unix()
        _run(sys.argv[1:] if arguments is None else list(arguments))
    except PlatewardenError as error:
        if os.environ.get("PLATEWARDEN_DEBUG") == "1":
            raise
        # A line feed within a line is a stranger's, and is written out.
        for line in error.lines if isinstance(error, ManyFaultsError) else (str(error),):
            print(visible(f"platewarden: {line}"), file=sys.stderr)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        if os.environ.get("PLATEWARDEN_DEBUG") == "1":
            raise
        print(f"platewarden: {_missing(error.name or str(error))}", file=sys.stderr)
        sys.exit(UsageError.exit_code)
    except BrokenPipeError:
        sys.exit(1)  # a closed pipe, as in `platewarden read … | head`, is no fault to tell
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell tells it, and typer
    except Exception as error:
        if os.environ.get("PLATEWARDEN_DEBUG") == "1":
            raise
        print(f"platewarden: {_own_fault(error)}", file=sys.stderr)
        sys.exit(PlatewardenError.exit_code)


def _run(words: list[str]) -> None:
    code: object = 0
    try:
        if call := plain_call(words):
            call()
        else:
            from agent.commands.all_commands import app

            app(args=words)
    except SystemExit as end:
        code = end.code
    except Exception:
        with suppress(OSError, PlatewardenError):  # the first error is the one to tell
            _hand_out()
        raise
    _hand_out()
    raise SystemExit(code)


def _hand_out() -> None:
    """What was printed and is still held back goes out now: what fails then is an error as any.

    Raises BrokenPipeError, PlatewardenError.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at its end, and tell it by a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise PlatewardenError(f"the answer cannot be written: {error.strerror}") from None


def _require_unix() -> None:
    """Refuse a system on which a lock could not be held, nor a file be replaced while it is read:
    two commands at once would break a city.
    """
    try:
        import fcntl  # noqa: F401 (whether it is there is all that is asked)
    except ModuleNotFoundError:
        raise UsageError(
            "Windows cannot lock and replace files as this needs",
            fix="use it within the Windows Subsystem for Linux; the clerk's guide says how",
        ) from None


def _own_fault(error: Exception) -> PlatewardenError:
    """What nobody foresaw, by class and place: its text, and a traceback's, could hold a plate
    (P9).

    It loads nothing: where no file can be opened any more, Python would tell all of it.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f"{Path(last.tb_frame.f_code.co_filename).name}:{last.tb_lineno}" if last else "?"
    return PlatewardenError(
        f"stopped by a fault of its own: {type(error).__name__} in {place}",
        fix="report this line; PLATEWARDEN_DEBUG=1 shows more, and may show a plate",
    )


def _missing(module: str) -> UsageError:
    """A part that this installation leaves out: each Debian package holds what its side runs, and
    a wheel without extras what a desk does.
    """
    if module.startswith("agent."):
        return UsageError(
            f"this needs {module}, which is not in this package",
            fix="platewarden, platewarden-receiver or platewarden-city holds it, "
            "or the installation is damaged",
        )
    if module.partition(".")[0] == "av":
        return UsageError(
            "videos and USB cameras need PyAV, and 'av' is not installed",
            fix="for a USB camera apt install python3-av (14 or newer); "
            "for videos pip install 'platewarden[camera]'",
        )
    if module.partition(".")[0] in CAMERA_LIBRARIES:
        return UsageError(
            f"this command needs the camera's libraries, and {module!a} is not installed",
            fix="pip install 'platewarden[camera]'",
        )
    return UsageError(
        f"this needs the Python module {module!a}, which is not installed",
        fix="these bring all: pip install 'platewarden[demo,hsm,peers,receiver-postgresql]'",
    )
