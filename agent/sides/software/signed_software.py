"""The release of software in verified bundles: signed by the city's signers in its role, and the
packages by a release key that the charter names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.generation import Stops
from agent.bundles.layout import SOFTWARE, SOFTWARE_PATH
from agent.core.reasons import Reason
from agent.core.software.choice import Signed
from agent.core.software.signed_release import MAX_RELEASE_BYTES, parse_release
from agent.disk.input_file import read_input
from agent.errors import BundleRefusedError
from agent.verifying.software_check import verify_statement

if TYPE_CHECKING:
    from datetime import datetime

    from agent.bundles.generation import Generation


def signed_software(generation: Generation, now: datetime) -> Signed | None:
    """None: the city has released nothing, or its release or everything has lapsed.

    Raises RefusedError, ConfigError.
    """
    path = generation.city / SOFTWARE_PATH
    stopped = {lapse.stops for lapse in generation.lapsed(now)}
    if not path.is_file() or stopped & {Stops.SOFTWARE, Stops.EVERYTHING}:
        return None
    rules = CityFolder(generation.city).charter().software
    if rules is None:
        raise BundleRefusedError(
            Reason.SOFTWARE_NOT_IN_CHARTER,
            "the charter has no [software]: it names no release key",
            where="charter.toml",
            fix="the charter's signers add it (docs/ref/policy.md)",
        )
    release = parse_release(read_input(path, MAX_RELEASE_BYTES, missing="the city releases one"))
    statement = verify_statement(release.statement.encode(), rules.release_keys)
    signers = len(generation.facts.signed_by.get(SOFTWARE, ()))
    signed = generation.versions[SOFTWARE]
    return Signed(release, statement, signed, signers, rules.signers, rules.floor)
