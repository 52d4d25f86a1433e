"""A broker that binds client ids to certificates, as `broker init` sets RabbitMQ up, lets our own
cameras, receivers and doctor in: each gives the name in its certificate.
"""

import pytest

from agent import settings as camera_settings
from agent.bundles.city_folder import CityFolder
from agent.core.camera.diagnosis_findings import Health
from agent.doctor.broker_dial import dialled
from agent.network.broker_link import BrokerLink, LinkLimits
from agent.network.egress import Egress
from agent.network.policy_tls import context_for
from agent.receiver.connection import Connection
from agent.receiver.receiver_settings import BrokerSettings
from tests.fakes.broker import FakeBroker
from tests.support.delivery_rig import Rig
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST
from tests.support.sealed import DEVICE, RECIPIENT

pytestmark = pytest.mark.broker


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


def city_of(rig, broker):
    """The rig's policy lists the broker; its settings, folder, and that table."""
    rig.write_policy(rig.policy(broker.port))
    settings = camera_settings.load(rig.settings)
    city = CityFolder(settings.city)
    return settings, city, city.policy().brokers[0]


def test_a_camera_is_let_in(rig):
    with FakeBroker(rig.server, binds=DEVICE) as broker:
        _, city, listed = city_of(rig, broker)
        context = context_for(listed, city.ca(listed), "broker", 60_000)
        link = BrokerLink(listed, DEVICE, context, Egress((listed,)), LinkLimits())
        link.connect(ADDRESS, broker.port)
        assert link.connected
        link.close()


@pytest.mark.parametrize("name", ["", f"{RECIPIENT}.2"])
def test_a_receiver_is_let_in(rig, name):
    with FakeBroker(rig.server, binds=name or RECIPIENT) as broker:
        settings = BrokerSettings(host=HOST, address=ADDRESS, port=broker.port, ca=rig.ca.pem)
        connection = Connection(rig.folder, settings, RECIPIENT, name)
        connection.open()
        connection.close()


@pytest.mark.parametrize(
    ("binds", "dials", "health"),
    [("", 1, Health.OK), (DEVICE, 2, Health.OK), ("cam-other", 2, Health.FAIL)],
)
def test_doctor_takes_the_cameras_own_name_only_where_no_other_is_let_in(rig, binds, dials, health):
    with FakeBroker(rig.server, binds=binds) as broker:
        settings, city, listed = city_of(rig, broker)
        found = dialled(settings, listed, ADDRESS, broker.port, city, Egress((listed,)))
        assert found.health is health, found.what
        assert len(broker.connects) == dials
