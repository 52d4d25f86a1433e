#!/usr/bin/python3 -IB
"""Turns a card into a camera, once, from files on the boot partition (docs/ref/first-boot.md).

What it cannot finish leaves every unit disabled and says why. platewarden-first-boot.service runs
it at each boot until it has succeeded; every step may be done again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SETTINGS = "platewarden.toml"
ANCHOR = "1.root.json"
CERTIFICATE = "tls.crt"
BUNDLES = "bundles"
DEVICE = "device"
REPORT = "first-boot.txt"
STATE = "/var/lib/platewarden"  # where the units may write
KEY_FILE = re.compile(r"[a-z-]{1,32}\.(key|json|csr|svg|png)")
MAX_BYTES = 1 << 20
# Files that desktops leave beside copied ones.
JUNK = re.compile(r"\..*|Thumbs\.db|desktop\.ini", re.IGNORECASE)
# Lines of doctor without which nothing is enabled.
GATES = ("settings", "models", "camera", "enrolment", "keys", "key ")
# What an example's file asks a person to replace.
PLACEHOLDER = b"put-your-own"
# Debian has no picamera2: it is Raspberry Pi OS's, and the package can only recommend it.
LIBRARY = "python3-picamera2"
FINDS = "import importlib.util as found; raise SystemExit(not found.find_spec('picamera2'))"
# The green one of a Pi: newer kernels' name, older ones'.
LEDS = ("ACT", "led0")
BLINKING = (("delay_on", "100"), ("delay_off", "100"))  # ms
SIDES = ("platewarden-watch.service", "platewarden-deliver.service")
UP_WITHIN_S = 60.0
UNITS = (
    *(f"platewarden-walls.{kind}" for kind in ("service", "path", "timer")),
    "platewarden-update.timer",
    "platewarden-software-boot.service",
    "platewarden-software.timer",
    *SIDES,
)
# Raspberry Pi's kernels leave the controller off, and MemorySwapMax=0 keeps nothing out of swap.
MEMORY = "cgroup_enable=memory"


class StopError(Exception):
    """What is wrong, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Card:
    """The folders concerned, and what has been told so far. `root`: / but in tests."""

    root: Path = Path("/")
    told: list[str] = field(default_factory=list)

    @property
    def given(self) -> Path:
        return self.root / "boot/firmware/platewarden"

    @property
    def etc(self) -> Path:
        return self.root / "etc/platewarden"

    @property
    def device(self) -> Path:
        return self.etc / DEVICE

    def tell(self, line: str) -> None:
        """To the console and the journal now, to the report later."""
        print(f"platewarden: {line}", flush=True)
        self.told.append(line)


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """A command's words and code; it has no terminal to ask at. 127: there is no such program."""
    quiet = {"capture_output": True, "text": True, "stdin": subprocess.DEVNULL}
    try:
        return subprocess.run(words, timeout=300, check=False, **quiet)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]} is not installed")


def must(*words: str) -> str:
    """What the command printed. Raises StopError with its complaint."""
    done = run(*words)
    if done.returncode:
        raise StopError(
            f"`{' '.join(words)}` ended with {done.returncode}: "
            f"{(done.stderr or done.stdout).strip()[-600:]}"
        )
    return done.stdout


def content(file: Path) -> bytes:
    """A plain file of sensible size: what lies on the boot partition was written by anybody.

    Raises StopError.
    """
    if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_BYTES:
        raise StopError(f"{file} is not a plain file of at most {MAX_BYTES} bytes")
    return file.read_bytes()


def put(data: bytes, into: Path, mode: int) -> None:
    """Whole or not at all. One that is there must be the same. Raises StopError."""
    if into.exists():
        if into.read_bytes() != data:
            raise StopError(
                f"{into} is there already and differs: nothing is ever overwritten. "
                "Is it the right card?"
            )
        return
    new = into.with_name(f".{into.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.rename(into)
    sync(into.parent)


def sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def place_settings(card: Card) -> None:
    """Settings that load, and that keep the state where the units may write. Raises StopError."""
    file = card.given / SETTINGS
    if not file.exists():
        lying = ", ".join(sorted(entry.name for entry in card.given.iterdir())) or "nothing"
        raise StopError(
            f"{file} is missing; in that folder lie: {lying}. Some editors add .txt to a name"
        )
    data = content(file)
    if PLACEHOLDER in data:
        raise StopError(f"{file} still holds {PLACEHOLDER.decode()}… of the example: write yours")
    try:
        paths = tomllib.loads(data.decode("utf-8")).get("paths", {})
    except ValueError as error:
        raise StopError(f"{file}: {error}") from None
    if not isinstance(paths, dict) or paths.get("state") != STATE:
        raise StopError(
            f"{file}: the units write in {STATE} only: "
            f'under [paths] write state = "{STATE}" and bundles = "{STATE}/bundles-in"'
        )
    fresh = not (card.etc / SETTINGS).exists()
    put(data, card.etc / SETTINGS, 0o644)
    done = run("platewarden", "status", "--config", str(card.etc / SETTINGS))
    if done.returncode == 2:  # usage or settings; 1 and 3 are said by doctor below
        if fresh:
            (card.etc / SETTINGS).unlink()  # so that a mended one can take its place
        raise StopError(f"{file}: {done.stderr.strip()[-600:]}")


def place_keys(card: Card) -> None:
    """The keys of a batch, or new ones made here; either way under a city's root.

    Raises StopError.
    """
    given = card.given / DEVICE
    anchor = next(
        (file for file in (card.given / ANCHOR, card.given / "trust/root.json") if file.exists()),
        None,
    )
    if anchor is None and not (card.etc / "trust/root.json").exists():
        raise StopError(
            f"{card.given / ANCHOR} is missing: the city's clerk gives it; "
            "a camera that obeys no city must not start"
        )
    if given.is_dir():
        take_over(given, card.device)
        if anchor is not None:
            put(content(anchor), card.etc / "trust/root.json", 0o644)
    elif not (card.device / "enrolment.json").exists():
        told = must("platewarden", "provision", "--anchor", str(anchor))
        card.tell(f"keys were made on this camera:\n{told.strip()}")
    must("systemd-tmpfiles", "--create", "platewarden.conf")  # each key to its one owner


def take_over(given: Path, device: Path) -> None:
    """All of a batch's files for this camera, or none. Raises StopError."""
    files = [file for file in sorted(given.iterdir()) if not JUNK.fullmatch(file.name)]
    if odd := [file.name for file in files if not KEY_FILE.fullmatch(file.name)]:
        raise StopError(f"{given} holds {', '.join(odd)[:200]}: not what provision --batch makes")
    public = given / "public.json"
    if (device / "public.json").exists():
        # A power cut came between placing and wiping: finish, if they are the same camera's.
        if public.exists() and content(public) != (device / "public.json").read_bytes():
            raise StopError(
                f"{device} holds another camera's keys than {given}. Is it the right card?"
            )
        return
    if not public.exists() or not any(file.suffix == ".key" for file in files):
        raise StopError(
            f"{given} holds no camera's keys: "
            "copy the whole folder that provision --batch made for this camera"
        )
    new = device.with_name("device.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o755)
    for file in files:
        put(content(file), new / file.name, 0o600 if file.suffix == ".key" else 0o644)
    if device.exists():
        device.rmdir()
    new.rename(device)
    sync(device.parent)


def wipe(card: Card) -> None:
    """Private keys leave the boot partition: overwritten, then removed; `public.json` last.

    Raises StopError.
    """
    given = card.given / DEVICE
    if not given.is_dir():
        return
    for file in sorted(given.iterdir(), key=lambda file: file.name == "public.json"):
        if file.suffix == ".key" and not JUNK.fullmatch(file.name):
            if not (card.device / file.name).exists():
                raise StopError(f"{file.name} was not placed; it still lies in {given}")
            with file.open("r+b") as open_file:
                open_file.write(bytes(file.stat().st_size))
                open_file.flush()
                os.fsync(open_file.fileno())
        file.unlink()
    given.rmdir()
    sync(card.given)
    card.tell("the keys are in place and no longer on the boot partition")


def place_the_rest(card: Card) -> None:
    """What may come now or later: the broker's certificate and the first bundles.

    Raises StopError.
    """
    if (card.given / CERTIFICATE).exists() and not (card.device / "tls.crt").exists():
        content(card.given / CERTIFICATE)
        must("platewarden", "provision", "--certificate", str(card.given / CERTIFICATE))
        must("systemd-tmpfiles", "--create", "platewarden.conf")
    if (card.given / BUNDLES).is_dir():
        by = ("runuser", "-u", "platewarden-update", "--")
        done = run(*by, "platewarden", "update", str(card.given / BUNDLES))
        card.tell(
            done.stdout.strip()
            if done.returncode == 0
            else f"the bundles were not taken: {done.stderr.strip()[-400:]}"
        )
    for name in ("enrolment.json", "enrolment.png"):  # public, for the clerk
        if (card.device / name).exists():
            shutil.copyfile(card.device / name, card.given / name)


def switch_on_memory_controller(card: Card) -> None:
    """One word more for the next start; what stood there before stays beside it."""
    line = card.given.parent / "cmdline.txt"
    if not line.is_file() or MEMORY in (before := line.read_text(encoding="utf-8")).split():
        return
    shutil.copyfile(line, line.with_name("cmdline.before-platewarden.txt"))
    new = line.with_name("cmdline.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{before.strip()} {MEMORY}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(line)
    sync(line.parent)
    card.tell("the kernel's memory controller is on from the next start: restart once")


def examined(card: Card) -> list[str]:
    """Tells doctor's findings; those without which there is no camera. Raises StopError."""
    done, bad = run("platewarden", "doctor", "--json"), []
    try:
        for found in json.loads(done.stdout)["findings"]:
            fix = f" → {found['fix']}" if found["fix"] else ""
            words = f"{found['health']:<6} {found['name']}: {found['what']}{fix}"
            card.tell(words) if found["health"] in {"fail", "warn"} else card.told.append(words)
            if found["health"] == "fail" and found["name"].startswith(GATES):
                bad.append(f"doctor says {words}"[:400])
    except (ValueError, KeyError, TypeError):
        raise StopError(f"doctor gave no answer: {done.stderr.strip()[-400:]}") from None
    return bad


def lacking() -> Iterator[str]:
    """What a camera cannot do without and a package can only recommend, a sentence each."""
    if run("/usr/bin/python3", "-c", FINDS).returncode:
        yield (
            f"the camera library is missing: put the .deb files of {LIBRARY} and of what it needs "
            "beside the package, or connect the card to a network"
        )
    asked = run("nft", "list", "tables")
    if asked.returncode:
        said = asked.stderr.strip().splitlines() or ["nft gave no reason"]
        yield f"the firewall is missing: {said[0][:200]}. It is Debian's package nftables"


def start(card: Card) -> None:
    """Nothing is enabled before doctor finds all of GATES well, and the firewall answers.

    Raises StopError.
    """
    before = list(card.told)
    if missing := [*lacking(), *examined(card)]:
        raise StopError("; ".join(missing))
    must("systemctl", "enable", *UNITS)
    if (card.root / "run/systemd/system").is_dir():
        must("systemctl", "start", "--no-block", *UNITS)
        card.told[:] = before  # what the start has mended is no complaint any more
        look_again(card)


def look_again(card: Card) -> None:
    """What doctor says once the units are up. They run: nothing that is found now undoes that."""
    try:
        if not both_up():
            card.tell(f"{' and '.join(SIDES)} are not both up yet: systemctl status tells why")
        examined(card)
    except (StopError, OSError, subprocess.TimeoutExpired) as error:
        card.tell(f"the units were started, and what they came to is not known: {error}")


def both_up() -> bool:
    """Whether watch and deliver are active, within a minute."""
    ends_s = time.monotonic() + UP_WITHIN_S
    while run("systemctl", "is-active", *SIDES).stdout.split() != ["active"] * len(SIDES):
        if time.monotonic() >= ends_s:
            return False
        time.sleep(1)
    return True


def report(card: Card, headline: str) -> None:
    """Where a person looks: beside what they put on the card, and above the console's login
    prompt.
    """
    card.tell(headline)
    text = "\n".join(card.told) + "\n"
    for file, words in (
        (card.given / REPORT, text),
        (card.root / "run/issue.d/platewarden.issue", f"Platewarden: {headline}\n"),
    ):
        try:
            file.parent.mkdir(exist_ok=True)
            file.write_text(words.replace("\\", "/"), encoding="utf-8")
        except OSError as error:
            print(f"platewarden: {file}: {error.strerror}", file=sys.stderr)


def blink(card: Card, *, well: bool) -> None:
    """The board's green LED, for whoever has no screen: steady is a camera, fast is not one yet.

    A board without one, or a kernel without the trigger, stays as it is.
    """
    leds = card.root / "sys/class/leds"
    words = [("trigger", "default-on")] if well else [("trigger", "timer"), *BLINKING]
    try:
        for led in [leds / name for name in LEDS if (leds / name).is_dir()]:
            for name, value in words:
                (led / name).write_text(value, encoding="ascii")
    except OSError as error:
        print(f"platewarden: {leds}: {error.strerror}", file=sys.stderr)


def main(card: Card) -> int:
    if not card.given.is_dir():
        print(f"platewarden: nothing to do: {card.given} is not there", file=sys.stderr)
        return 1
    try:
        for step in (
            place_settings,
            place_keys,
            wipe,
            place_the_rest,
            switch_on_memory_controller,
            start,
        ):
            step(card)
    except (StopError, OSError, subprocess.TimeoutExpired) as error:
        left = sorted(
            file.name
            for file in (card.given / DEVICE).glob("*.key")
            if not JUNK.fullmatch(file.name)
        )
        if left:
            card.tell(f"PRIVATE KEYS STILL LIE ON THE BOOT PARTITION: {', '.join(left)}")
        report(card, f"NOT A CAMERA YET, nothing was started: {error}")
        blink(card, well=False)
        return 1
    put(b"", card.root / STATE.lstrip("/") / "first-boot-done", 0o644)
    report(
        card,
        "this card is a camera now. "
        "What doctor still complains of stands above and in first-boot.txt; "
        "sudo platewarden doctor looks again",
    )
    blink(card, well=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Card()))
