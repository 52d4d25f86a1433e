"""Refused before a socket opens: destinations by policy, proxies by name, and everything else by
the process-wide guard.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.policy.policy import Broker
from agent.errors import DestinationRefusedError
from agent.network.egress import Egress, refuse_proxies

ROOT = Path(__file__).parents[2]
CITY_HALL = Broker(
    "city-hall",
    "mqtt.exampleville.example",
    (("203.0.113.10", 8883), ("2001:db8::1", 8883)),
    "ca.pem",
    frozenset(),
    frozenset(),
)
COUNTY = Broker(
    "county", "mqtt.county.example", (("203.0.113.20", 8883),), "ca.pem", frozenset(), frozenset()
)


class TestPermit:
    @pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8::1", "2001:0DB8:0:0::0001"])
    def test_a_listed_address_in_any_spelling(self, address) -> None:
        Egress([CITY_HALL, COUNTY]).permit("city-hall", address, 8883)

    @pytest.mark.parametrize(
        ("broker", "address", "port"),
        [
            ("city-hall", "203.0.113.11", 8883),
            ("city-hall", "203.0.113.10", 1883),
            ("city-hall", "203.0.113.20", 8883),
            ("elsewhere", "203.0.113.10", 8883),
            ("city-hall", "::ffff:203.0.113.10", 8883),
            ("city-hall", "mqtt.exampleville.example", 8883),
            ("city-hall", "", 8883),
        ],
        ids=["address", "port", "another broker's", "no such broker", "mapped", "name", "nothing"],
    )
    def test_anything_else_is_refused_with_its_reason(self, broker, address, port) -> None:
        with pytest.raises(DestinationRefusedError) as refusal:
            Egress([CITY_HALL, COUNTY]).permit(broker, address, port)
        assert refusal.value.reason == "destination-not-in-policy"
        assert refusal.value.exit_code == 3

    def test_an_empty_policy_permits_nothing(self) -> None:
        with pytest.raises(DestinationRefusedError):
            Egress().permit("", "", 0)

    def test_a_new_policy_closes_what_the_old_one_listed(self) -> None:
        egress = Egress([CITY_HALL])
        egress.replace([COUNTY])
        assert not egress.listed("203.0.113.10", 8883)
        with pytest.raises(DestinationRefusedError):
            egress.permit("city-hall", "203.0.113.10", 8883)

    def test_two_brokers_may_share_an_address(self) -> None:
        twin = Broker(
            "twin", "twin.example", CITY_HALL.addresses, "ca.pem", frozenset(), frozenset()
        )
        egress = Egress([CITY_HALL, twin])
        for broker in ("city-hall", "twin"):
            egress.permit(broker, "203.0.113.10", 8883)


class TestProxies:
    @pytest.mark.parametrize("name", ["mqtt_proxy", "MQTT_PROXY", "Mqtt_Proxy"])
    def test_a_proxy_for_mqtt_is_refused(self, name) -> None:
        with pytest.raises(DestinationRefusedError, match=f"unset {name}") as refusal:
            refuse_proxies({name: "socks://attacker.example:1080"})
        assert refusal.value.reason == "proxy-forbidden"

    def test_the_others_are_dropped(self) -> None:
        environment = {
            "http_proxy": "x",
            "HTTPS_PROXY": "x",
            "all_proxy": "x",
            "NO_PROXY": "x",
            "PATH": "/bin",
        }
        refuse_proxies(environment)
        assert environment == {"PATH": "/bin"}

    def test_pysocks_is_refused(self, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "socks", os)
        with pytest.raises(DestinationRefusedError, match="PySocks"):
            refuse_proxies({})

    def test_paho_cannot_import_pysocks_even_where_it_is_installed(self, tmp_path) -> None:
        (tmp_path / "socks.py").write_text("SOCKS5 = HTTP = SOCKS4 = 1")
        code = "import agent.mqtt.driver, paho.mqtt.client as c; print(c.socks)"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": f"{tmp_path}:{ROOT}"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "None\n"


REFUSED = {
    "socket.create_connection(('127.0.0.1', port + 1))": "socket.getaddrinfo",
    "socket.socket().connect(('127.0.0.1', port + 1))": "socket.connect",
    "socket.socket().connect_ex(('192.0.2.1', 443))": "socket.connect",
    "socket.socket(socket.AF_INET6).connect(('::1', port))": "socket.connect",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))": "socket.__new__",
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', '/tmp/other')": "socket.sendto",
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendmsg([b'x'], [], 0, "
    "'/tmp/other')": "socket.sendmsg",
    "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')": "socket.connect",
    "socket.getaddrinfo('mqtt.exampleville.example', 8883)": "socket.getaddrinfo",
    "socket.getaddrinfo('localhost', port)": "socket.getaddrinfo",
    "socket.gethostbyname('mqtt.exampleville.example')": "socket.gethostbyname",
    "socket.gethostbyaddr('127.0.0.1')": "socket.gethostbyaddr",
    "socket.getnameinfo(('127.0.0.1', port), 0)": "socket.getnameinfo",
    "socket.create_server(('0.0.0.0', 8080))": "socket.bind",
    "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)": "socket.__new__",
    "subprocess.run(['true'])": "subprocess.Popen",
    "os.system('true')": "os.system",
    "os.fork()": "os.fork",
    "os.posix_spawn('/bin/true', ['true'], {})": "os.posix_spawn",
    "os.execv('/bin/true', ['true'])": "os.exec",
    "urllib.request.urlopen('http://192.0.2.1/')": "socket.getaddrinfo",
    "socket.getaddrinfo(chr(10) + 'a' * 62, 1)": "socket.getaddrinfo",
    # The last one, because after it no policy lists the address any more.
    "(egress.replace([]), socket.create_connection(('127.0.0.1', port)))": "socket.getaddrinfo",
}
PERMITTED = {
    "socket.create_connection(('127.0.0.1', port), source_address=('', 0))": None,
    "socket.socket().connect(('127.0.0.1', port))": None,
    "socket.getaddrinfo('127.0.0.1', port)": None,
    # Nobody listens there.
    "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'READY=1', "
    "'/run/notify')": FileNotFoundError.__name__,
}
GUARDED = """
import json, os, socket, subprocess, sys, urllib.request
from agent.core.policy.policy import Broker
from agent.errors import DestinationRefusedError
from agent.network.egress import Egress, install_guard
noted, results = [], {}
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
broker = Broker("b", "h.example", (("127.0.0.1", port),), "ca", frozenset(), frozenset())
egress = Egress([broker], notify_socket="/run/notify")
install_guard(egress, lambda event, to: noted.append((event, to)))
for action in json.load(sys.stdin):
    noted.clear()
    try:
        eval(action)
    except DestinationRefusedError as refusal:
        results[action] = [refusal.reason, *noted[-1]]
    except OSError as error:
        results[action] = type(error).__name__
    else:
        results[action] = None
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def guarded() -> dict[str, object]:
    """What came of every action, tried in one guarded process (the guard cannot be taken out
    again).
    """
    actions = json.dumps([*PERMITTED, *REFUSED])
    done = subprocess.run(
        [sys.executable, "-c", GUARDED],
        cwd=ROOT,
        input=actions,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize(("action", "event"), REFUSED.items())
def test_the_guard_refuses(guarded, action, event) -> None:
    reason, noted, destination = guarded[action]
    assert (reason, noted) == ("destination-not-in-policy", event)
    assert destination.isprintable()


@pytest.mark.parametrize(("action", "outcome"), PERMITTED.items())
def test_the_guard_permits(guarded, action, outcome) -> None:
    assert guarded[action] == outcome
