"""A log is named by a domain that the city owns; older logs keep their names and verify."""

import json

import pytest
from typer.testing import CliRunner

from agent import settings as settings_file
from agent.audit.log_verify import verify
from agent.audit.questions.ask import camera_of
from agent.audit.verdict import Verdict
from agent.city.checkpoint_collection import collect
from agent.city.city_log import city_log
from agent.commands.provision import app as provision
from agent.core.wire.device_public import format_device_public, parse_device_public
from agent.errors import ConfigError, EnvelopeRefusedError
from agent.settings import load
from agent.sides import aim
from agent.sides.watch import opened_log
from agent.storage.log_key import (
    TrustedLogKeys,
    load_trusted_keys,
    origin_of,
    own_origin,
    parts_of,
    without_domain,
)
from tests.components.test_hotlist_command import city
from tests.fakes.clock import FakeClock
from tests.support.audit_logs import DEVICE, KEY, ORIGIN, open_log
from tests.support.witness_logs import NOW_S

__all__ = ["city"]
DOMAIN = "exampleville.gov"
NAMED = f"{DOMAIN}/{ORIGIN}"
ROSTER = TrustedLogKeys({ORIGIN: KEY.public_key()}, "roster.jws")
SETTINGS = 'camera_id = "main-street-2"\n'


def a_log(folder, origin=NAMED):
    folder.mkdir()
    with open_log(folder, origin=origin) as log:
        log.append("start", {})
    return folder


def test_the_parts_of_a_name():
    assert origin_of(DEVICE, "watch", DOMAIN) == NAMED
    for origin in (NAMED, ORIGIN):
        assert (without_domain(origin), parts_of(origin)) == (ORIGIN, (DEVICE, "watch"))
        assert camera_of(origin) == DEVICE


@pytest.mark.parametrize(
    ("keys", "domain", "holds"),
    [
        (ORIGIN, "", True),
        (ORIGIN, DOMAIN, True),
        (ORIGIN, "elsewhere.gov", False),
        (NAMED, "", True),
        (f"elsewhere.gov/{ORIGIN}", "", False),
        (origin_of("cam-test-2", "watch"), "", False),
    ],
)
def test_a_key_is_taken_for_the_log_of_its_camera_in_this_city(tmp_path, keys, domain, holds):
    trusted = TrustedLogKeys({keys: KEY.public_key()}, "a file", domain=domain)
    report = verify(a_log(tmp_path / "watch"), trusted)
    assert (report.verdict is Verdict.WHOLE) == holds
    assert holds or report.verdict is Verdict.UNVERIFIED, "no forgery is told"


def test_an_older_log_verifies_as_before_whatever_the_city_is_called(tmp_path):
    trusted = TrustedLogKeys({ORIGIN: KEY.public_key()}, "a file", domain=DOMAIN)
    assert verify(a_log(tmp_path / "watch", ORIGIN), trusted).verdict is Verdict.WHOLE


def provisioned(folder, text):
    folder.mkdir(exist_ok=True)
    config = folder / "platewarden.toml"
    config.write_text(text)
    result = CliRunner().invoke(provision, ["--config", str(config), "--json"])
    assert result.exit_code == 0, result.exception
    return load(config)


def test_a_camera_that_was_made_with_a_domain_names_its_logs_by_it(tmp_path):
    made = provisioned(tmp_path / "camera", SETTINGS + f'city_domain = "{DOMAIN}"\n')
    with opened_log(made, FakeClock()) as log:
        assert log.origin == f"{DOMAIN}/platewarden/main-street-2/watch"
        log.append("start", {})
    public = made.device / "public.json"
    assert own_origin(public, "main-street-2", "watch") == log.origin
    assert verify(made.state / "watch", load_trusted_keys(public)).verdict is Verdict.WHOLE


def test_an_aim_s_unit_sees_no_folder_of_keys_and_names_the_log_all_the_same(tmp_path, monkeypatch):
    """It ended with a fault of its own: public.json lies beside the keys that it may not see."""
    made = provisioned(tmp_path / "camera", SETTINGS + f'city_domain = "{DOMAIN}"\n')
    given = tmp_path / "credentials"
    made.device.rename(given)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(given))
    with aim.opened_log(made, kept=True) as (_, log):
        assert log.origin == f"{DOMAIN}/platewarden/main-street-2/watch"


def test_a_domain_that_is_written_later_changes_no_log(tmp_path):
    made = provisioned(tmp_path / "camera", SETTINGS)
    with opened_log(made, FakeClock()) as log:
        log.append("start", {})
    made.file.write_text(SETTINGS + f'city_domain = "{DOMAIN}"\n')
    with opened_log(load(made.file), FakeClock()) as log:
        assert log.origin == "platewarden/main-street-2/watch"
        log.append("stop", {})


@pytest.mark.parametrize(
    "domain", ["Exampleville.gov", "gov", "a b.gov", "x/y.gov", "é.gov", "-a.b"]
)
def test_what_is_no_domain_is_refused(tmp_path, domain):
    config = tmp_path / "platewarden.toml"
    config.write_text(SETTINGS + f"city_domain = {json.dumps(domain)}\n")
    with pytest.raises(ConfigError, match="is no domain name"):
        settings_file.load(config)


def test_public_json_says_the_domain_strictly(tmp_path):
    made = provisioned(tmp_path / "camera", SETTINGS + f'city_domain = "{DOMAIN}"\n')
    data = (made.device / "public.json").read_bytes()
    public = parse_device_public(data)
    assert public.domain == DOMAIN
    assert format_device_public(public) == data
    for bad in (b'"NO.gov"', b'""', b"3"):
        with pytest.raises(EnvelopeRefusedError):
            parse_device_public(data.replace(b'"exampleville.gov"', bad))


def test_a_batch_is_named_by_the_option(tmp_path):
    (tmp_path / "roster.csv").write_text("id,stands,near,mount\nmain-street-2,Main Street,,fixed\n")
    arguments = ["--batch", str(tmp_path / "roster.csv"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(provision, [*arguments, "--domain", DOMAIN, "--json"])
    assert result.exit_code == 0, result.exception
    folder = tmp_path / "out/main-street-2"
    assert load(folder / "platewarden.toml").city_domain == DOMAIN
    assert parse_device_public((folder / "device/public.json").read_bytes()).domain == DOMAIN
    (tmp_path / "out").rename(tmp_path / "first")
    result = CliRunner().invoke(provision, [*arguments, "--domain", "NO"])
    assert "is no domain name" in str(result.exception)


class TestCity:
    def name(self, city, domain=DOMAIN):
        charter = city / "charter.toml"
        charter.write_text(f'domain = "{domain}"\n' + charter.read_text())

    def take(self, city, *paths):
        with city_log(city) as log:
            return collect(city, log, paths, ROSTER, 26 * 3_600, lambda: NOW_S)

    def test_its_own_log_is_named_by_the_charters(self, city):
        self.name(city)
        with city_log(city) as log:
            assert log.log.origin.startswith(f"{DOMAIN}/platewarden/")

    def test_one_that_was_begun_before_keeps_its_name(self, city):
        with city_log(city) as log:
            before = log.log.origin
            log.tell({"act": "import"})
        self.name(city)
        with city_log(city) as log:
            assert log.log.origin == before

    def test_a_camera_of_this_domain_is_collected_and_not_missing(self, tmp_path, city):
        self.name(city)
        [one] = self.take(city, a_log(tmp_path / "watch"))
        assert (one.origin, one.outcome) == (NAMED, "first")

    def test_one_named_by_another_city_is_not(self, tmp_path, city):
        self.name(city, "elsewhere.gov")
        done = self.take(city, a_log(tmp_path / "watch"))
        assert [one.outcome for one in done] == ["unusable", "missing"]
