"""The recipient's epoch keys and folder: one key a day, destroyed at its deadline, not before."""

import os
import stat
from datetime import timedelta

import pytest

from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.epochs import deadline_of
from agent.errors import ConfigError, PlatewardenError, StorageError
from agent.receiver.epoch_keys import EpochKeyStore, destroy
from agent.receiver.receiver_settings import BrokerSettings, load, template
from agent.receiver.workplace import Workplace
from agent.verifying.key_list_check import verify_key_list
from tests.support.sealed import CAPTURED, RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW = Instant(CAPTURED)
DAY = timedelta(days=1)


def later(days):
    return Instant(CAPTURED + days * DAY)


class TestEpochKeys:
    @pytest.fixture
    def keys(self, tmp_path):
        made = EpochKeyStore(tmp_path / "epochs")
        made.extend(CAPTURED.date(), 5)
        return made

    def test_one_private_key_a_day(self, keys, tmp_path):
        assert keys.epochs() == [CAPTURED.date() + n * DAY for n in range(5)]
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "epochs").iterdir()} == {
            0o600
        }
        assert len({keys.key(day).private_bytes_raw() for day in keys.epochs()}) == 5

    def test_extending_never_changes_a_key_and_never_fills_a_hole(self, keys, tmp_path):
        before = {day: keys.key(day).private_bytes_raw() for day in keys.epochs()}
        hole = CAPTURED.date() + DAY
        (tmp_path / "epochs" / f"{hole}.key").unlink()
        assert keys.extend(CAPTURED.date() + DAY, 5) == [CAPTURED.date() + 5 * DAY]
        assert keys.key(hole) is None
        assert all(
            keys.key(day).private_bytes_raw() == raw for day, raw in before.items() if day != hole
        )

    def test_destroyed_at_the_deadline_not_before(self, keys):
        first = CAPTURED.date()
        assert keys.destroy_due(deadline_of(first) - timedelta(milliseconds=1)) == []
        assert keys.destroy_due(deadline_of(first)) == [first]
        assert keys.key(first) is None
        assert first not in keys.public_keys(RECIPIENT, deadline_of(first)).keys

    def test_a_key_that_is_due_but_still_there_is_not_listed(self, keys):
        assert CAPTURED.date() not in keys.public_keys(RECIPIENT, deadline_of(CAPTURED.date())).keys

    def test_half_written_keys_are_destroyed_too(self, keys, tmp_path):
        part = tmp_path / "epochs" / ".2027-01-15.key.abcd.part"
        part.write_bytes(b"secret")
        os.link(part, tmp_path / "copy")
        keys.destroy_due(CAPTURED)
        assert not part.exists()
        assert (tmp_path / "copy").read_bytes() == bytes(6)

    def test_damage_is_one_clear_error(self, keys, tmp_path):
        path = tmp_path / "epochs" / f"{CAPTURED.date()}.key"
        for text in ("", "{}", '{"kty":"OKP"}', path.read_text().replace('"d":"', '"d":"AA')):
            path.write_text(text)
            with pytest.raises(StorageError, match=r"2027-01-15\.key"):
                keys.key(CAPTURED.date())
        path.chmod(0o644)
        with pytest.raises(StorageError, match="chmod 600"):
            keys.key(CAPTURED.date())

    def test_a_stray_name_is_one_clear_error(self, keys, tmp_path):
        (tmp_path / "epochs" / "tomorrow.key").touch()
        with pytest.raises(StorageError, match="no day"):
            keys.epochs()

    def test_destroying_a_file_that_is_gone_is_done(self, tmp_path):
        destroy(tmp_path / "gone")

    def test_destroy_does_not_follow_links(self, tmp_path):
        (tmp_path / "precious").write_bytes(b"keep")
        (tmp_path / "link").symlink_to(tmp_path / "precious")
        with pytest.raises(StorageError):
            destroy(tmp_path / "link")
        assert (tmp_path / "precious").read_bytes() == b"keep"


class TestFolder:
    def test_made_once(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        listed = verify_key_list(
            (tmp_path / "r" / "key-list.jws").read_bytes(), RECIPIENT, place.signer().public_key
        )
        assert len(listed.keys) == 60
        with pytest.raises(StorageError, match="never overwritten"):
            Workplace.create(tmp_path / "r", RECIPIENT, NOW)

    def test_an_untrusted_clock_makes_and_destroys_nothing(self, tmp_path):
        wrong = Instant(CAPTURED, ClockTrust.UNTRUSTED)
        with pytest.raises(PlatewardenError, match="clock"):
            Workplace.create(tmp_path / "r", RECIPIENT, wrong)
        assert not (tmp_path / "r").exists()
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        with pytest.raises(PlatewardenError, match="clock"):
            place.tidy(Instant(CAPTURED + 500 * DAY, ClockTrust.UNTRUSTED))
        assert len(place.keys.epochs()) == 60

    def test_a_jump_forward_destroys_nothing_and_skips_no_day(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        jumped = Instant(CAPTURED + 500 * DAY, ClockTrust.OS, CAPTURED)
        (line,) = place.tidy(jumped)
        assert "kept the keys of 60 epoch(s)" in line
        place.renew_keys(jumped)
        assert len(place.keys.epochs()) == 60
        place.tidy(later(1))
        assert len(place.keys.epochs()) == 60  # one destroyed, one made

    def test_tidying_moves_the_window(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        assert place.tidy(NOW) == []
        destroyed, renewed = place.tidy(later(2))
        assert "2 epoch(s) up to 2027-01-16" in destroyed
        assert "2027-03-17" in renewed
        listed = verify_key_list(
            (tmp_path / "r" / "key-list.jws").read_bytes(), RECIPIENT, place.signer().public_key
        )
        assert (min(listed.keys), len(listed.keys)) == (CAPTURED.date() + 2 * DAY, 60)

    def test_settings_there_and_back(self, tmp_path):
        broker = BrokerSettings(
            host="mqtt.example.org",
            address="203.0.113.10",
            ca="ca.pem",
            client_certificate="a.crt",
            client_key="a.key",
        )
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW, broker)
        assert place.settings.broker == broker
        assert load(tmp_path / "r") == place.settings
        assert template(place.settings) == (tmp_path / "r" / "receiver.toml").read_text()

    def test_a_receiver_without_a_broker_says_what_to_fill_in(self, tmp_path):
        with pytest.raises(ConfigError, match=r"\[broker\]"):
            Workplace.create(tmp_path / "r", RECIPIENT, NOW).broker()

    @pytest.mark.parametrize(
        ("line", "field"),
        [
            ('policy = "x"', "policy"),
            ('[broker]\nhost = "a"\naddress = "mqtt.example.org"\nca = "x"', "broker.address"),
            ('[broker]\nhost = "*.example.org"\naddress = "203.0.113.1"\nca = "x"', "broker.host"),
            ('[broker]\nhost = "a"\naddress = "203.0.113.1"\nca = "x"\nport = 0', "broker.port"),
            (
                '[broker]\nhost = "a"\naddress = "203.0.113.1"\nca = "x"\nclient_key = "k"',
                "client_certificate",
            ),
            ("epochs_ahead_days = 1000", "epochs_ahead_days"),
            ("recipient", "not TOML here"),
        ],
    )
    def test_a_wrong_setting_names_its_field(self, tmp_path, line, field):
        (tmp_path / "receiver.toml").write_text(f'recipient = "{RECIPIENT}"\n{line}\n')
        with pytest.raises(ConfigError, match=r"receiver\.toml") as refused:
            load(tmp_path)
        assert field in str(refused.value)

    def test_one_at_a_time(self, tmp_path):
        place = Workplace.create(tmp_path / "r", RECIPIENT, NOW)
        with (
            place.locked(),
            pytest.raises(PlatewardenError, match="another receiver"),
            place.locked(),
        ):
            pass
        with place.locked():  # released
            pass
