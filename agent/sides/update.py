"""Builds and runs `update`: fetches bundles into bundles-in/, from a folder, or over HTTPS from the
addresses of the policy in force.

Trusted with nothing.
"""

from __future__ import annotations

import os
import pwd
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.fetcher import Fetch, Fetched, FolderSource
from agent.bundles.generation_store import BundleStore
from agent.bundles.layout import HOTLIST, MAX_METADATA_BYTES
from agent.bundles.package_fetch import fetch_package
from agent.core.software.choice import Answer, choose
from agent.core.software.installed import FOLDER
from agent.disk.atomic_file import private_folder, read_bounded
from agent.errors import (
    ConfigError,
    DestinationRefusedError,
    NetworkError,
    PlatewardenError,
    RefusedError,
    StorageError,
    UsageError,
)
from agent.host.clock import TrustedClock
from agent.network.egress import Egress, install_guard, refuse_proxies
from agent.network.entity_tags import FILE_NAME, EntityTags
from agent.network.https_source import HttpsSource
from agent.network.policy_tls import context_for
from agent.network.spread import spread
from agent.sides.signed_city import BUNDLES, no_bundles
from agent.sides.software.signed_software import signed_software
from agent.software.memory_file import read_memory
from agent.software.running_version import running, this_machine
from agent.software.version_store import VersionStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from agent.bundles.fetcher import Source
    from agent.bundles.generation import Generation
    from agent.settings import Settings

GIVE_UP_AFTER_S = 900.0
MAX_PACKET_BYTES = 1 << 20


def from_folder(settings: Settings, folder: Path) -> Fetched:
    """From a directory or a mounted stick. Raises UsageError, BundleRefusedError, StorageError."""
    if not folder.is_dir():
        raise UsageError(
            "no such directory",
            where=folder,
            fix="is the stick mounted? Name the folder that holds metadata/ and targets/",
        )
    _require_its_own_user(settings.bundles)
    source = FolderSource(folder)
    fetched = Fetch(source, settings.bundles, settings.limits, settings.camera_id).run()
    state = settings.state / "update"
    try:
        private_folder(state)
        clock = TrustedClock(state)
        generation = _verified(settings, clock, state)
    except (RefusedError, ConfigError, StorageError):
        return fetched  # a person copies a stick: the processes say what they make of it
    _fetch_package(source, settings, generation, clock.now().utc)
    return fetched


def _require_its_own_user(inbox: Path) -> None:
    """Root would read everything that the stick's maker could name, and leave files that
    `platewarden-update` cannot replace.

    Raises UsageError.
    """
    if os.geteuid() != 0 or not inbox.is_dir() or (owner := inbox.stat().st_uid) == 0:
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"#{owner}"
    raise UsageError(
        "is not taken in as root",
        where=inbox,
        fix=f"type: sudo -u {name} platewarden update FOLDER",
    )


def from_network(settings: Settings) -> Fetched:
    """From the first [[bundle_source]] that serves.

    From here on, and for ever in this process, nothing else can be reached.

    Which addresses, the policy says that this process has verified itself; lapsed bundles are good
    enough for that: newer ones are what it is here for. Raises RefusedError, NetworkError,
    StorageError.
    """
    state = settings.state / "update"
    private_folder(state)
    clock = TrustedClock(state)
    generation = _verified(settings, clock, state)
    city = CityFolder(generation.city)
    sources = city.policy().bundle_sources
    if not sources:
        raise UsageError(
            "the policy in force lists no [[bundle_source]]",
            where="policy.toml",
            fix="name a directory or a stick: platewarden update FOLDER",
        )
    tags, copy = EntityTags(state / FILE_NAME), _copies(settings.bundles)
    egress = Egress(sources)
    refuse_proxies(os.environ)
    install_guard(egress, lambda _event, _destination: None)
    trouble: PlatewardenError | None = None
    for source in sources:
        context = context_for(
            source, city.ca(source), f"bundle source {source.id!r}", MAX_PACKET_BYTES
        )
        for address in spread(source.addresses, settings.camera_id):
            until_s = clock.monotonic_s() + GIVE_UP_AFTER_S
            https = HttpsSource(
                *(source, address, context, egress, clock.monotonic_s, until_s, tags, copy)
            )
            try:
                fetched = _fetched(https, settings, clock)
            except (NetworkError, DestinationRefusedError) as error:
                trouble = error
            else:
                tags.save()
                return fetched
            finally:
                https.close()
    raise trouble or NetworkError("no source has an address", where="policy.toml")


def _fetched(source: Source, settings: Settings, clock: TrustedClock) -> Fetched:
    """Bundles, and the package that they release."""
    fetched = Fetch(source, settings.bundles, settings.limits, settings.camera_id).run()
    generation = _verified(settings, clock, settings.state / "update")
    _fetch_package(source, settings, generation, clock.now().utc)
    return fetched


def _fetch_package(
    source: Source, settings: Settings, generation: Generation, now: datetime
) -> None:
    """The package that this camera would try, where there is one.

    Raises NetworkError, BundleRefusedError, StorageError: the bundles are there all the same.
    """
    folder = settings.state / FOLDER
    try:
        signed = signed_software(generation, now)
        confirmed = VersionStore(folder, folder, running()).confirmed()
        memory = read_memory(folder)
    except (RefusedError, ConfigError, StorageError):
        return  # `software apply` says why
    if signed is None:
        return
    choice = choose(signed, this_machine(settings.camera_id), confirmed, memory)
    if choice.answer is Answer.TAKE and choice.package is not None:
        fetch_package(source, settings.bundles, choice.package)


def _copies(inbox: Path) -> Callable[[str], bytes | None]:
    """What lies in the inbox of a metadata file: it comes anew where it cannot be read."""

    def copy(name: str) -> bytes | None:
        try:
            return read_bounded(inbox / name, MAX_METADATA_BYTES)
        except StorageError:
            return None

    return copy


def _verified(settings: Settings, clock: TrustedClock, state: Path) -> Generation:
    """What this process has verified: newer, if the inbox brings it; a refusal of what lies there
    must not keep us from fetching better.
    """
    store = BundleStore(
        state / BUNDLES,
        settings.anchor,
        settings.limits,
        rig=settings.rig,
        leave_out=frozenset({HOTLIST}),
    )
    generation = store.current()
    try:
        generation = store.take_in(settings.bundles, clock.now()) or generation
    except RefusedError:
        if generation is None:
            raise
    if generation is None:
        raise no_bundles(settings)
    return generation
