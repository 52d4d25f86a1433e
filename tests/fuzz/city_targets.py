"""Targets on a city's files: hot lists, acts by hand, policy, charter, rosters, profiles."""

import base64
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pyrage

from agent.bundles import hotlist_sealed, jurisdiction_files
from agent.bundles.hotlist_keys import HEAD
from agent.bundles.layout import HOTLIST_PATH, MANUAL_PATH, city_file, group_path
from agent.core.hotlist.changes import MAGIC as CHANGES_MAGIC
from agent.core.hotlist.changes import with_changes
from agent.core.hotlist.compiled_format import MAGIC, Compiled, decode
from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.manual_acts import parse_manual
from agent.core.hotlist.intake.ncic import Layout, parse_spans
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy.camera_roster import in_place, parse_roster
from agent.core.policy.charter import parse_charter, require
from agent.core.policy.jurisdiction import parse_profile
from agent.core.policy.roster_csv import parse_roster_csv
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.core.policy.schema.policy_file import parse_policy
from tests.fuzz import world
from tests.fuzz.targets import target

TODAY = date(2026, 12, 1)
AS_OF = datetime(2026, 11, 30, 6, tzinfo=UTC)
SPANS = (
    "code=1,date=2-9,plate=10-19,state=20-21",
    "code=1,date=2-9,plate=10-19,state=20-21,agency=22-31,case=32-39,expires=40-47",
)


def used(compiled: Compiled) -> None:
    """What a camera does with a list once it was taken in."""
    found = hotlist_of(compiled, None)
    hotlist_of(compiled, ["stolen-vehicle"])
    found.by_category(TODAY)
    for index in found.indexes:
        for place in range(min(len(index), 20)):
            entry = index.entry(index.row(place))
            found.texts(entry.plate.value)
            index.hide([(entry.plate.value, entry.state, entry.category, "x", entry.case)])


@target("a hot list in CSV, imported, with and without --skip-bad-rows")
def hotlist_csv(data: bytes) -> None:
    half = len(data) // 2
    for skip in (False, True):
        chunks = [data[:half], data[half:]]
        found = import_list(Source(chunks, "x.csv", AS_OF), None, TODAY, skip_bad_rows=skip)
        used(decode(bytearray(found.encoded()), "again"))


@target("NCIC records in fixed columns, imported; the first byte chooses the columns")
def hotlist_ncic(data: bytes) -> None:
    spans = SPANS[data[0] % 2 if data else 0]
    layout = Layout(parse_spans(spans), TODAY, "Exampleville PD", "daily")
    found = import_list(
        Source([data[1:]], "x.dat", AS_OF, layout), ["stolen-vehicle"], TODAY, skip_bad_rows=True
    )
    used(decode(bytearray(found.encoded()), "again"))


@target(
    "a compiled hot list whose SHA-256 is right: header, line feed, columns; or all of it", 8192
)
def hotlist_bin(data: bytes) -> None:
    if not data.startswith(MAGIC):
        header, _, columns = data.partition(b"\n")
        header += b" " * (-len(header) % 8)
        data = MAGIC + len(header).to_bytes(8, "little") + header + columns
    used(decode(bytearray(data + world.digest(data)), "hotlist.bin"))


@target(
    "changes of a list of one whose SHA-256 is right: header, line feed, the list's header and rows"
)
def hotlist_changes(data: bytes) -> None:
    header, _, rest = data.partition(b"\n")
    body = CHANGES_MAGIC + len(header).to_bytes(8, "little") + header + rest
    made = with_changes(plain_list(), body + world.digest(body), "changes.age")
    used(decode(bytearray(made), "again"))


@cache
def identity() -> pyrage.x25519.Identity:
    """age's own keys cannot be made from a seed; only what is inside matters here."""
    return pyrage.x25519.Identity.generate()


@target("hotlist.age as it came, or (behind `!`) acts by hand sealed for the camera beside a list")
def hotlist_sealed_file(data: bytes) -> None:
    where = world.folder("sealed")
    (where / "hotlist").mkdir(exist_ok=True)
    inner = data.startswith(b"!")
    recipients = [identity().to_public()]
    if inner:
        sealed, manual = small_list(), pyrage.encrypt(data[1:], recipients)
    else:
        sealed, manual = b"", b""
    for path, content in ((HOTLIST_PATH, sealed or data), (MANUAL_PATH, manual)):
        file = where / city_file(path)
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content)
        if not content:
            file.unlink()
    hotlist_sealed.open_hotlist(
        where, identity(), TODAY, ["stolen-vehicle"], timedelta(days=2), AS_OF, HotlistRules()
    )


@cache
def small_list() -> bytes:
    """`plain_list`, sealed."""
    return pyrage.encrypt(plain_list(), [identity().to_public()])


@cache
def plain_list() -> bytes:
    """A compiled list of one."""
    row = b"TST0042,US-CA,stolen-vehicle,Exampleville PD,C-1,2026-11-20,2027-01-01\n"
    made = import_list(Source([hotlist_sealed.HEADER + row], "x", AS_OF), None, TODAY)
    return bytes(made.encoded())


@target(
    "a key group of a sealed list, `camera` in it being this one; or (behind `!`) the list's key "
    "sealed for the camera, `secret` being the right one"
)
def hotlist_key_group(data: bytes) -> None:
    recipient = str(identity().to_public()).encode()
    if data.startswith(b"!"):
        secret = data[1:].replace(b"secret", str(identity()).encode())
        sealed = base64.b64encode(pyrage.encrypt(secret, [identity().to_public()]))
        data = HEAD + recipient + b" " + sealed + b"\n"
    where = world.folder("grouped")
    for path, content in (
        (HOTLIST_PATH, small_list()),
        (group_path("cam-1"), data.replace(b"camera", recipient)),
    ):
        file = where / city_file(path)
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_bytes(content)
    hotlist_sealed.open_hotlist(
        where, identity(), TODAY, ["stolen-vehicle"], timedelta(days=2), AS_OF, HotlistRules()
    )


@target("acts by hand: hotlist-manual.json")
def manual_acts(data: bytes) -> None:
    found = parse_manual(data, "hotlist-manual.json")
    assert parse_manual(found.encoded(), "again") == found
    found.told()
    found.additions_on(TODAY)
    used(found.without_old(TODAY).compiled(TODAY))


@cache
def example(name: str) -> bytes:
    return (world.EXAMPLE / f"{name}.toml").read_bytes()


@cache
def sound(name: str) -> object:
    """The example's own file, parsed."""
    return PARSES[name](example(name), f"{name}.toml")


@cache
def california() -> object:
    return jurisdiction_files.shipped("us-ca")


PARSES = {"policy": parse_policy, "charter": parse_charter, "roster": parse_roster}


def checked(changed: str, data: bytes) -> None:
    """`policy check` over all three files, then what a camera does with them."""
    texts = {name: example(name) for name in PARSES} | {changed: data}
    files = {name: File(text, f"{name}.toml") for name, text in texts.items()}
    check_policy(files["policy"], Against(files["charter"], files["roster"], california(), TODAY))
    mine = PARSES[changed](data, f"{changed}.toml")
    policy, charter, roster = (mine if name == changed else sound(name) for name in PARSES)
    require(policy, charter)
    in_place(policy, charter, roster)


@target("policy.toml: policy check against charter, roster and law; then obeyed", 8192)
def policy(data: bytes) -> None:
    checked("policy", data)


@target("charter.toml, the same")
def charter(data: bytes) -> None:
    checked("charter", data)


@target("roster.toml, the same", words='"fixed" "vehicle" "school" "court" []')
def roster(data: bytes) -> None:
    checked("roster", data)


@target("a jurisdiction's profile (TOML)", 8192)
def profile(data: bytes) -> None:
    parse_profile(data, "xx.toml")


@target("roster.csv: the cameras of a batch")
def roster_csv(data: bytes) -> None:
    parse_roster_csv(data, "roster.csv")
