"""`receiver run` as a process against a real broker: nothing is lost, nothing is stored twice, and
refusals are clear.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.time.instant import Instant
from agent.core.time.trusted_time import NAMELESS, Known, format_known
from agent.core.wire.sealed_read import MAX_WIRE_BYTES
from agent.receiver.receiver_settings import BrokerSettings
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST, Authority
from tests.support.receiving import Enrolled, RunningReceiver, Service, this_instant
from tests.support.sealed import PLATE
from tests.support.second_version import NEW

pytestmark = pytest.mark.broker


@pytest.fixture
def service(tmp_path):
    with Service(tmp_path) as running:
        yield running


def complaint_of(folder, **environment):
    """Run a receiver that should end by itself."""
    command = [sys.executable, "-m", "agent", "receiver", "run", str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


class TestDelivery:
    def test_a_read_is_stored_receipted_and_opened(self, service):
        with service.start_receiver().wait_ready() as receiver:
            camera, sealed = service.camera(), service.enrolled.seal()
            camera.publish(sealed.wire)
            receipt, line = camera.receipt(), receiver.line()
            camera.close()
            assert receiver.stop() == 0
        assert (receipt.outcome, receipt.read_id, receipt.wire_sha256) == (
            "stored",
            sealed.tags.read_id,
            hashlib.sha256(sealed.wire).hexdigest(),
        )
        assert line == {
            "read": sealed.tags.read_id,
            "device": sealed.tags.device,
            "seq": 1,
            "match": "exact",
        }
        shown = subprocess.run(
            [sys.executable, "-m", "agent", "receiver", "open", str(service.folder)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert PLATE in shown.stdout
        assert "UNVERIFIED LEAD" in shown.stdout

    def test_a_read_of_a_version_that_it_does_not_know_is_rejected_with_a_receipt(self, service):
        with service.start_receiver().wait_ready() as receiver:
            enrolled = service.enrolled
            listed = replace(enrolled.key_list(), versions=NEW.known)
            camera, sealed = service.camera(), enrolled.seal(key_list=listed, versions=NEW)
            camera.publish(sealed.wire)
            receipt = camera.receipt()
            receiver.complaint("sealed in version 2, which is not known here")
            camera.close()
            assert receiver.stop() == 0
        assert (receipt.outcome, receipt.read_id, receipt.wire_sha256) == (
            "rejected:unsupported-version",
            sealed.tags.read_id,
            hashlib.sha256(sealed.wire).hexdigest(),
        )

    def test_a_repetition_is_receipted_again_and_stored_once(self, service):
        with service.start_receiver().wait_ready() as receiver:
            camera, sealed = service.camera(), service.enrolled.seal()
            camera.publish(sealed.wire)
            camera.publish(sealed.wire)
            assert [camera.receipt().outcome for _ in range(2)] == ["stored", "stored"]
            receiver.complaint("stored already")
            camera.close()
        assert len(list((service.folder / "store").glob("*.sealed"))) == 1

    def test_what_was_published_while_it_was_away_arrives_later(self, service):
        with service.start_receiver().wait_ready() as receiver:
            assert receiver.stop() == 0
        camera, reads = service.camera(), [service.enrolled.seal() for _ in range(5)]
        for sealed in reads:
            camera.publish(sealed.wire)
        with service.start_receiver().wait_ready():
            assert {camera.receipt().read_id for _ in reads} == {
                sealed.tags.read_id for sealed in reads
            }
        camera.close()

    def test_killed_in_the_middle_it_loses_nothing(self, service):
        with service.start_receiver().wait_ready() as receiver:
            camera, reads = service.camera(), [service.enrolled.seal() for _ in range(60)]
            for number, sealed in enumerate(reads):
                camera.publish(sealed.wire)
                if number == 30:
                    receiver.kill()
        with service.start_receiver().wait_ready():
            seen: set[str] = set()
            while len(seen) < len(reads):
                receipt = camera.receipt()
                assert receipt.outcome == "stored"
                seen.add(receipt.read_id)
        camera.close()
        assert len(list((service.folder / "store").glob("*.sealed"))) == len(reads)

    def test_it_comes_back_after_the_broker_was_away(self, service):
        with service.start_receiver().wait_ready() as receiver:
            service.broker.kill()
            receiver.complaint("connection lost")
            service.broker.start()
            receiver.complaint("connected again")
            camera, sealed = service.camera(), service.enrolled.seal()
            camera.publish(sealed.wire)
            assert camera.receipt().read_id == sealed.tags.read_id
            camera.close()


class TestRetention:
    def test_at_its_start_it_destroys_what_is_due(self, tmp_path):
        now = this_instant()
        enrolled = Enrolled(
            tmp_path / "recipient",
            BrokerSettings(host=HOST, address=ADDRESS, port=1, ca=tmp_path / "none.pem"),
            Instant(now.utc - timedelta(days=5)),
        )
        sealed, store = enrolled.seal(retention_days=3), enrolled.place.store()
        store.add(sealed.tags, sealed.wire, enrolled.now.utc)
        store.close()
        # A machine without NTP would otherwise be sure of nothing later than the build, and how
        # much is due would depend on the day of the test.
        (enrolled.folder / "clock.json").write_bytes(
            format_known(Known(now.utc, 0.0, NAMELESS + "0" * 8))
        )
        with Service(tmp_path / "other") as service:
            shutil.copy(service.folder / "receiver.toml", enrolled.folder / "receiver.toml")
            with RunningReceiver(enrolled.folder) as receiver:
                receiver.complaint("destroyed the keys of 5 epoch(s)")
                receiver.complaint("renewed key-list.jws")
                receiver.wait_ready()
        assert (
            min(path.stem for path in (enrolled.folder / "epochs").iterdir())
            == now.utc.date().isoformat()
        )
        assert not list((enrolled.folder / "store").glob("*.sealed"))


class TestBadInput:
    @pytest.mark.parametrize(
        "untrusted",
        [b"", os.urandom(4000), b"A" * MAX_WIRE_BYTES, b"{}\n..", "…".encode()],
        ids=["empty", "random", "huge", "braces", "not ASCII"],
    )
    def test_random_bytes_are_counted_and_dropped(self, service, untrusted):
        with service.start_receiver().wait_ready() as receiver:
            camera = service.camera()
            camera.publish(untrusted)
            receiver.complaint("dropped:malformed")
            assert camera.no_receipt()
            sealed = service.enrolled.seal()
            camera.publish(sealed.wire)  # and it goes on
            assert camera.receipt().outcome == "stored"
            camera.close()

    def test_an_altered_read_is_dropped_and_an_unopenable_one_rejected(self, service):
        with service.start_receiver().wait_ready() as receiver:
            camera, sealed = service.camera(), service.enrolled.seal()
            camera.publish(sealed.wire[:-2] + (b"AA" if sealed.wire[-2:] != b"AA" else b"QQ"))
            receiver.complaint("dropped:")
            late = service.enrolled.seal()
            for key in (service.folder / "epochs").iterdir():
                key.unlink()
            camera.publish(late.wire)
            assert camera.receipt().outcome == "rejected:key-destroyed"
            camera.close()


class TestRefusals:
    def test_a_broker_with_another_name(self, tmp_path):
        with Service(tmp_path) as service:
            text = (
                (service.folder / "receiver.toml")
                .read_text()
                .replace(HOST, "other.exampleville.example")
            )
            (service.folder / "receiver.toml").write_text(text)
            code, line = complaint_of(service.folder)
        assert code == 3
        assert "certificate-invalid" in line

    def test_a_broker_of_another_authority(self, service, tmp_path):
        other = Authority(tmp_path / "other")
        text = (
            (service.folder / "receiver.toml")
            .read_text()
            .replace(str(service.authority.pem), str(other.pem))
        )
        (service.folder / "receiver.toml").write_text(text)
        code, line = complaint_of(service.folder)
        assert (code, "certificate-invalid" in line) == (3, True)

    @pytest.mark.parametrize("with_certificate", [True, False])
    def test_a_broker_that_wants_a_client_certificate(self, tmp_path, with_certificate):
        clients = Authority(tmp_path / "clients", "client-ca")
        with Service(tmp_path, client_ca=clients) as service:
            if with_certificate:
                mine = clients.client("exampleville-pd")
                text = (service.folder / "receiver.toml").read_text()
                (service.folder / "receiver.toml").write_text(
                    f'{text}client_certificate = "{mine.certificate}"\nclient_key = "{mine.key}"\n'
                )
                with service.start_receiver().wait_ready() as receiver:
                    assert receiver.stop() == 0
            else:
                code, line = complaint_of(service.folder)
                assert (code, "certificate" in line) == (1, True)

    def test_no_broker_there(self, service):
        service.broker.stop()
        code, line = complaint_of(service.folder)
        assert (code, f"{ADDRESS}:{service.broker.port}" in line) == (1, True)

    def test_a_proxy_in_the_environment(self, service):
        code, line = complaint_of(service.folder, mqtt_proxy="socks5://127.0.0.1:1080")
        assert (code, "proxy-forbidden" in line) == (3, True)

    def test_a_second_receiver_in_the_folder(self, service):
        with service.start_receiver().wait_ready():
            code, line = complaint_of(service.folder)
        assert (code, "another receiver" in line) == (1, True)

    def test_a_second_receiver_of_the_same_recipient_elsewhere(self, service, tmp_path):
        shutil.copytree(service.folder, tmp_path / "elsewhere")
        with (
            service.start_receiver().wait_ready() as first,
            RunningReceiver(tmp_path / "elsewhere").wait_ready(),
        ):
            # A broker that says why ends it. Mosquitto 2.0 only hangs up: then it is told, ever
            # more rarely.
            first.complaint("another receiver")

    def test_a_roster_signed_by_somebody_else(self, service):
        service.enrolled.root_key = service.enrolled.device_key
        service.enrolled.enrol({})
        code, line = complaint_of(service.folder)
        assert (code, "signature-invalid" in line, "roster.jws" in line) == (3, True, True)

    def test_an_access_list_that_forbids_receipts(self, tmp_path):
        acl = (
            "topic read platewarden/1/reads/#\ntopic write platewarden/1/reads/#\n"
            "topic read platewarden/1/receipts/#\n"
        )
        with (
            Service(tmp_path, acl=acl) as service,
            RunningReceiver(service.folder).wait_ready() as receiver,
        ):
            camera = service.camera()
            camera.publish(service.enrolled.seal().wire)
            assert "refused a receipt" in receiver.complaint("refused a receipt")
            assert receiver.process.wait(20) == 1
            camera.close()
