"""A real Chromium without a window, at a phone's size, driven through its own pipe: no driver
program, no library, no port.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTH, HEIGHT = 390, 844
PHONE, DESK = (WIDTH, HEIGHT), (1280, 800)
QUIETLY = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--no-first-run",
    "--remote-debugging-pipe",
    f"--window-size={WIDTH},{HEIGHT}",
)


class Browser:
    """One page. Every wait is bounded by `timeout_s`. `options`: more of Chromium's."""

    def __init__(
        self, profile: Path, timeout_s: float = 60.0, options: tuple[str, ...] = ()
    ) -> None:
        self._timeout_s, self._number, self._rest = timeout_s, 0, b""
        self.console, self.requests = [], []
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        os.set_inheritable(to_read, True)
        os.set_inheritable(to_write, True)

        command = [*QUIETLY, *options, f"--user-data-dir={profile}", "about:blank"]
        # The browser wants its pipe as descriptors 3 and 4: a shell puts them there.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec 3<&{to_read} 4>&{to_write} "$0" "$@"', CHROMIUM, *command],
            pass_fds=(to_read, to_write),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(WIDTH, HEIGHT, phone=True)

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def go(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def run(self, script: str):
        """The value of an expression in the page; a promise is waited for."""
        told = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def until(self, script: str):
        """Wait until an expression in the page is true."""
        end = time.monotonic() + self._timeout_s
        while not (value := self.run(script)):
            assert time.monotonic() < end, (
                f"never came true: {script}; {self.run('document.body.innerText')}"
            )
            time.sleep(0.1)
        return value

    def drag(self, *points: tuple[float, float]) -> None:
        """Press at the first point (px of the page), move along, let go."""
        kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 2), "mouseReleased"]
        for kind, (x, y) in zip(kinds, points, strict=True):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=1,
                clickCount=1,
            )

    def screenshot(self, path: Path) -> Path:
        path.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )
        return path

    def call(self, method: str, **parameters):
        return self._call(method, session=self._session, **parameters)

    def _call(self, method: str, session: str | None = None, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters} | (
            {"sessionId": session} if session else {}
        )
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            told = self._message()
            if told.get("id") == self._number:
                assert "error" not in told, (method, told["error"])
                return told["result"]
            self._note(told)

    def _note(self, told) -> None:
        if told.get("method") in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.console.append(json.dumps(told["params"]))
        if told.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["params"]["request"]["url"])

    def _message(self):
        end = time.monotonic() + self._timeout_s
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
            assert ready, "the browser does not answer"
            self._rest += os.read(self._read, 1 << 16)
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


def resize(browser: Browser, size: tuple[int, int]) -> None:
    """To one of the two sizes."""
    browser.resize(*size, phone=size == PHONE)
