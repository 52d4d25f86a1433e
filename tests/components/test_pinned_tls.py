"""Dialling an address and verifying a name, the policy's CA alone, the key's pin: against a bare
TLS server on loopback.
"""

import random
import socket
import ssl
import threading
import time
from contextlib import contextmanager

import pytest

from agent.errors import ConfigError, DestinationRefusedError, StorageError
from agent.mqtt import pinned_tls
from agent.mqtt.pinned_tls import (
    MAX_UNANSWERED_BYTES,
    Inflow,
    Peer,
    PinnedSocket,
    certificate_refused,
    spki_pin,
)
from agent.network.policy_tls import context_for
from tests.support.city_network import broker
from tests.support.hostile import length
from tests.support.pki import HOST, Authority

RSA_PSS = """\
-----BEGIN CERTIFICATE-----
MIID7TCCAqGgAwIBAgIUR2edq3K3ApUxBtxQnU32+SWCpOEwQQYJKoZIhvcNAQEK
MDSgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIDAgEgMCQxIjAgBgNVBAMMGW1xdHQuZXhhbXBsZXZpbGxlLmV4YW1wbGUwIBcN
MjYxMTI4MjI1OTI2WhgPMjEyNjExMDQyMjU5MjZaMCQxIjAgBgNVBAMMGW1xdHQu
ZXhhbXBsZXZpbGxlLmV4YW1wbGUwggFWMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZI
AWUDBAIBBQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAIBBQCiAwIBIAOCAQ8A
MIIBCgKCAQEAsBuSdt8dcafxn/d1F4Djkg16v7/cQ8quwcvpP2eYD52JEBFyCV89
T6BTV+Lfwjs6O+qVDy0SHe65TJ5K4o2UG/3yRUAC5uJwpLciEewlurmS14R22Sqg
54g17u1UDcG1QL0bh/d4+Uess+lAuTLCNB4gtHAiLXSAk4EKLCADqCF+/a4oFewZ
G0OXpoxUMhWCa/o6HP5cvlmdyGECwKwB2oBmBAoUxoYyJwi10xQdM8tBSo6btriA
oLQwEDQPq7Mf0XGy9SNVJpDasWIW413SFUmeW0w/UxkKx2UFrHSNm5hUZddqF1KX
EH/dDRor8CXeB6nVDToeKt4k4qyjdz0OtwIDAQABo3kwdzAdBgNVHQ4EFgQUPBxj
muwvwNmWEJzZrLKWIcnJE20wHwYDVR0jBBgwFoAUPBxjmuwvwNmWEJzZrLKWIcnJ
E20wDwYDVR0TAQH/BAUwAwEB/zAkBgNVHREEHTAbghltcXR0LmV4YW1wbGV2aWxs
ZS5leGFtcGxlMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIBBQChHDAaBgkq
hkiG9w0BAQgwDQYJYIZIAWUDBAIBBQCiAwIBIAOCAQEAFs6S85eKIsIaNnE0JL47
W+8Jx2uj22tZ2nrzu+lEzNC1TDWjz8PoQdJKBcnSzlrIWkZpt+lPx4i0l3ujljo2
NiYSOiK78fWrQ6gkBrxJK5xU+h61I59hvXDlMPNTen+18IEYVJmbq24fsg8etxMT
owElmqiXAsXV0pifvfSegUq6dEqGmvwkSuW7UeBgn7TUGUMsEKsVA0gKnaJyGPbi
ZltglaIw8Ls8/9gFjAEThe0BDEAn7IxwiARot/ra6KCjOUfZm8SIXVetRzdKOhh5
W0PYrDjqeLWCE56aKtZNbYB8HUAS2nZ4/GngcCsjztAv8nW8TjkUfc5OCmMU/bSz
xw==
-----END CERTIFICATE-----
"""


@contextmanager
def listening(
    credentials, *, oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_3, say: bytes = b""
):
    """A TLS server for one client; yields its address and what it heard from the client after the
    handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = oldest, newest
    if oldest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(credentials.certificate, credentials.key)
    listener = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        connection.settimeout(5)
        try:
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(say)
                heard.append(tls.recv(100))
        except OSError:
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname(), heard
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


def context(ca, listed, **other):
    return context_for(
        listed,
        ca.pem.read_bytes(),
        "broker 'city-hall' at 127.0.0.1:8883",
        other.pop("max_packet_bytes", 1024),
        **other,
    )


def handshake(tls_context, address):
    """As paho does it: the dialled address is what it passes as the server's name."""
    sock = socket.create_connection(address, timeout=5)
    tls = tls_context.wrap_socket(sock, server_hostname=address[0], do_handshake_on_connect=False)
    tls.settimeout(5)
    tls.do_handshake()
    return tls


def test_the_dialled_address_serves_a_certificate_for_the_listed_name(ca, server) -> None:
    with (
        listening(server) as (address, _),
        handshake(context(ca, broker(server, address)), address) as tls,
    ):
        assert tls.server_hostname == HOST
        assert tls.version() == "TLSv1.3"
        tls.send(b"x")


def test_another_name_is_refused_although_address_and_key_are_right(ca, server) -> None:
    with (
        listening(server) as (address, _),
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        handshake(context(ca, broker(server, address, host="mqtt.elsewhere.example")), address)


def test_a_certificate_for_the_bare_address_is_not_enough(ca) -> None:
    only_address = ca.server("by-address", hosts=("127.0.0.1",))
    with (
        listening(only_address) as (address, _),
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        handshake(context(ca, broker(only_address, address)), address)


def test_a_common_name_is_no_name(ca) -> None:
    by_common_name = ca.server(HOST, hosts=())
    with listening(by_common_name) as (address, _), pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(ca, broker(by_common_name, address)), address)


def test_another_pin_is_refused_before_a_byte_of_mqtt(ca, server) -> None:
    # It has the right CA and name: somebody obtained a second certificate.
    stranger = ca.server("stranger")
    with listening(stranger) as (address, heard), pytest.raises(DestinationRefusedError) as refusal:
        handshake(context(ca, broker(server, address)), address)
    assert refusal.value.reason == "spki-pin-mismatch"
    assert heard in ([], [b""])


def test_any_of_several_pins_will_do(ca, server) -> None:
    pins = frozenset({bytes(32), server.pin})
    with (
        listening(server) as (address, _),
        handshake(context(ca, broker(server, address, pins=pins)), address) as tls,
    ):
        tls.send(b"x")


def test_no_pin_at_all_admits_nobody(ca, server) -> None:
    with listening(server) as (address, _), pytest.raises(DestinationRefusedError):
        handshake(context(ca, broker(server, address, pins=frozenset())), address)


def test_another_ca_is_refused_even_with_the_right_pin(ca, server, tmp_path) -> None:
    other = Authority(tmp_path, "other-ca")
    with listening(server) as (address, _), pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(other, broker(server, address)), address)


def test_the_systems_certificate_store_is_not_used(ca, server, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.pem))  # as if the true CA were in the system's store
    other = Authority(tmp_path, "other-ca")
    made = context(other, broker(server, ("127.0.0.1", 1)))
    assert len(made.get_ca_certs()) == 1
    with listening(server) as (address, _), pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, address)


@pytest.mark.parametrize("days", [(-9, -1), (1, 9)], ids=["expired", "not yet valid"])
def test_a_certificate_out_of_its_time_is_refused(ca, days) -> None:
    late = ca.server("late", days=days)
    with listening(late) as (address, _), pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(ca, broker(late, address)), address)


def test_a_client_certificate_does_not_pass_for_a_servers(ca, server) -> None:
    client = ca.client(HOST)
    with listening(client) as (address, _), pytest.raises(ssl.SSLCertVerificationError):
        handshake(context(ca, broker(client, address)), address)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_tls_1_1_is_not_spoken(ca, server) -> None:
    with (
        listening(server, oldest=ssl.TLSVersion.TLSv1, newest=ssl.TLSVersion.TLSv1_1) as (
            address,
            _,
        ),
        pytest.raises(ssl.SSLError, match=r"(?i)version|protocol|alert"),
    ):
        handshake(context(ca, broker(server, address)), address)


def test_a_packet_longer_than_the_limit_is_not_read(ca, server) -> None:
    with (
        listening(server, say=b"x" * 50) as (address, _),
        handshake(context(ca, broker(server, address)), address) as tls,
    ):
        assert tls.recv(20) == b"x" * 20
        with pytest.raises(OSError, match="packet of 268435455 bytes"):
            tls.recv(268_435_455)
        tls.send(b"x")


def test_a_worn_out_connection_reads_no_more(ca, server) -> None:
    with (
        listening(server, say=b"x" * 50) as (address, _),
        handshake(context(ca, broker(server, address)), address) as tls,
    ):
        tls.inflow.unanswered_bytes = MAX_UNANSWERED_BYTES + 1
        with pytest.raises(OSError, match="worn out"):
            tls.recv(20)
        tls.send(b"x")


def test_what_is_sent_together_goes_out_as_one_record(ca, server) -> None:
    with (
        listening(server) as (address, heard),
        handshake(context(ca, broker(server, address)), address) as tls,
    ):
        assert not tls.stuck
        with tls.together():
            with tls.together():  # within another, it waits for the other's end
                assert [tls.send(part) for part in (b"ab", b"c", b"def")] == [2, 1, 3]
            assert not heard
            assert tls.held == b"abcdef"
        assert not tls.held
    assert heard == [b"abcdef"]  # the other side reads once, and a read gives one record


@pytest.mark.parametrize("full", [ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError])
def test_what_a_full_socket_does_not_take_stays_in_front_of_what_comes(monkeypatch, full) -> None:
    sock, taken, room = PinnedSocket.__new__(PinnedSocket), bytearray(), [3]
    sock.held = bytearray()

    def send(_self, data, _flags=0):
        if not room[0]:
            raise full
        part = bytes(data[: room[0]])
        room[0] -= len(part)
        taken.extend(part)
        return len(part)

    monkeypatch.setattr(ssl.SSLSocket, "send", send)
    with sock.together():
        sock.send(b"abcde")
    assert (taken, sock.held, sock.stuck) == (b"abc", b"de", True)
    assert sock.send(b"fg") == 2  # not past what waits
    assert taken == b"abc"
    room[0] = 9
    sock.send_held()
    assert (taken, sock.held, sock.stuck) == (b"abcdefg", b"", False)
    assert sock.send(b"h") == 1
    assert taken == b"abcdefgh"


def test_a_connection_that_ends_while_something_is_held_ends_nobody(ca, server) -> None:
    with (
        listening(server) as (address, _),
        handshake(context(ca, broker(server, address)), address) as tls,
        tls.together(),
    ):
        tls.send(b"x")
        tls.close()


def test_pin_is_what_openssl_prints(server) -> None:
    der = ssl.PEM_cert_to_DER_cert(server.certificate.read_text())
    assert spki_pin(der) == server.pin
    assert spki_pin(b"") == spki_pin(b"\x30\x03noise") == b""


def test_an_rsa_pss_key_is_pinned_by_the_bytes_that_stand_in_the_certificate() -> None:
    """Made, and its pin told, by OpenSSL 3.0: `genpkey -algorithm rsa-pss`, `req -new -x509`; `x509
    -pubkey -noout | pkey -pubin -outform der | sha256sum`.
    """
    der = ssl.PEM_cert_to_DER_cert(RSA_PSS)
    assert spki_pin(der).hex() == (
        "e0f06b2f68227807bd9e558fef0658de75cb3752d217f982ec5ec3a212430328"
    )


def test_a_ca_that_is_none_is_a_config_error_naming_broker_and_file(server) -> None:
    for rubbish in (
        b"",
        b"not a certificate",
        b"\xff\xfe",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        server.certificate.read_bytes() + b"-----BEGIN CERTIFICATE-----\nAAAA\n",
        server.certificate.read_bytes().replace(b"CERTIFICATE", b"PUBLIC KEY"),
    ):
        told = r"city-hall-ca\.pem: broker 'city-hall': not a CA certificate in PEM \(\w+\) \(put"
        with pytest.raises(ConfigError, match=told):
            context_for(broker(server, ("127.0.0.1", 1)), rubbish, "broker 'city-hall'", 1024)


def test_a_ca_file_may_hold_what_people_write_beside_certificates(ca, server, tmp_path) -> None:
    other = Authority(tmp_path, "other-ca").pem.read_bytes()
    note = "Städtische Zertifizierungsstelle\n".encode()
    file = b"\xef\xbb\xbf" + (note + other + note + ca.pem.read_bytes()).replace(b"\n", b"\r\n")
    listed = broker(server, ("127.0.0.1", 1))
    made = context_for(listed, file, "broker 'city-hall'", 1024)
    assert len(made.get_ca_certs()) == 2
    with listening(server) as (address, _), handshake(made, address) as tls:
        tls.send(b"x")


def test_a_client_certificate_without_its_key_is_a_storage_error(ca, server, tmp_path) -> None:
    client, other = ca.client("cam-7"), ca.client("cam-8")
    for files in ((client.certificate, other.key), (client.certificate, tmp_path / "missing.key")):
        told = r"cam-7\.crt: unusable TLS client certificate or key \(\w+\) \(check it and "
        with pytest.raises(StorageError, match=told):
            context(ca, broker(server, ("127.0.0.1", 1)), client=files)


def test_sockets_of_the_context_are_pinned_sockets(ca, server) -> None:
    assert context(ca, broker(server, ("127.0.0.1", 1))).sslsocket_class is PinnedSocket


@pytest.mark.parametrize("longest", [1, 2, 7, 5000])
def test_packets_are_followed_however_they_are_cut(longest) -> None:
    chance, now_s = random.Random(longest), 0.0
    messages = [bytes(chance.choice([0, 1, 126, 127, 128, 16_383, 16_384])) for _ in range(30)]
    inflow, expected = Inflow(), 0
    for message in messages:
        answer = bytes([0xD0, 0])  # PINGRESP: weighs nothing
        packet = bytes([0x32]) + length(len(message)) + message
        for whole in (answer, packet):
            left, now_s = whole, now_s + 1
            while left:
                taken = chance.randint(1, longest)
                inflow.feed(left[:taken], now_s)
                left, now_s = left[taken:], now_s + 1
                assert (inflow.began_s is None) == (not left)
            assert inflow.packet_bytes == len(whole)
        expected += len(packet)
        assert inflow.unanswered_bytes == expected


def test_a_packet_begins_with_its_first_byte() -> None:
    inflow = Inflow()
    assert inflow.began_s is None
    for now_s, part in ((5.0, b"\x32"), (6.0, b"\x02"), (7.0, b"x")):
        inflow.feed(part, now_s)
        assert inflow.began_s == 5.0
    inflow.feed(b"x\x32", 8.0)  # the last byte of one, the first of the next
    assert inflow.began_s == 8.0


def test_a_length_without_end_is_paho_s_to_refuse() -> None:
    inflow = Inflow()
    inflow.feed(b"\x32" + b"\xff" * 20, 1.0)
    assert inflow.began_s == 1.0


# --- what a socket of ours does, and what it says ---


def test_a_refused_socket_is_closed_and_the_refusal_names_the_address(ca, server) -> None:
    made = context(ca, broker(server, ("127.0.0.1", 1), pins=frozenset({bytes(32)})))
    with listening(server) as (address, _), socket.create_connection(address, timeout=5) as sock:
        tls = made.wrap_socket(sock, do_handshake_on_connect=False)
        with pytest.raises(DestinationRefusedError) as refused:
            tls.do_handshake()
        assert tls.fileno() == -1
    assert str(refused.value).startswith(
        "refused [spki-pin-mismatch]: broker 'city-hall' at 127.0.0.1:8883: the broker's key is"
    )


def test_without_pins_the_ca_decides_alone(ca, server) -> None:
    peer = Peer(HOST, None, what="a web server", ca="ca.pem", advice="ask")
    made = pinned_tls.context_for(peer, ca.pem.read_bytes(), 1024)
    with listening(server) as (address, _), handshake(made, address) as tls:
        tls.send(b"x")


def test_a_context_without_a_peer_admits_nobody(ca, server) -> None:
    made = ssl.create_default_context(cafile=str(ca.pem))
    made.sslsocket_class = PinnedSocket
    with (
        listening(server) as (address, _),
        socket.create_connection(address, timeout=5) as sock,
        pytest.raises(DestinationRefusedError, match="the broker's key is none"),
    ):
        made.wrap_socket(sock, server_hostname=HOST)


@contextmanager
def talking(ca, server, say: bytes):
    """A socket of ours, and a server that says this."""
    with (
        listening(server, say=say) as (address, _),
        handshake(context(ca, broker(server, address)), address) as tls,
    ):
        yield tls
        tls.send(b"x")


def test_a_packet_of_just_the_limit_is_read(ca, server) -> None:
    with talking(ca, server, b"\xd0\x00") as tls:
        tls.inflow.unanswered_bytes = MAX_UNANSWERED_BYTES
        assert tls.recv(1024) == b"\xd0\x00"
        assert tls.trouble == ""
        with pytest.raises(OSError, match="a packet of 1025 bytes"):
            tls.recv(1025)
        assert tls.trouble == "the broker sends a packet of 1025 bytes"


def test_a_message_of_qos_2_ends_the_connection_and_is_told(ca, server) -> None:
    with talking(ca, server, b"\x34\x02xx") as tls:
        with pytest.raises(OSError, match="a message of QoS 2"):
            tls.recv()
        assert tls.trouble == "the broker sends a message of QoS 2"


def test_a_packet_that_begins_is_timed_by_the_clock_that_never_jumps(ca, server) -> None:
    with talking(ca, server, b"\x32") as tls:
        before = time.monotonic()
        tls.recv(1)
        assert before <= tls.inflow.began_s <= time.monotonic()


def test_nothing_waits_for_a_full_packet(ca, server) -> None:
    with talking(ca, server, b"") as tls:
        assert tls.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_patience_is_asked_before_each_read(ca, server) -> None:
    with talking(ca, server, b"abc") as tls:
        buffer, left_s = bytearray(3), [2.5, 1.25]
        assert tls.recv_into(buffer, 1) == 1
        assert tls.gettimeout() == 5
        tls.patience = lambda: left_s.pop(0)
        for expected in (2.5, 1.25):
            assert tls.recv_into(buffer, 1) == 1
            assert tls.gettimeout() == expected
        with pytest.raises(IndexError):
            tls.recv_into(buffer, 1)


def test_openssl_s_verdict_becomes_ours(ca, server) -> None:
    made = context(ca, broker(server, ("127.0.0.1", 1)))
    with (
        listening(Authority(ca.folder, "stranger-ca").server("x")) as (address, _),
        pytest.raises(ssl.SSLCertVerificationError) as verdict,
    ):
        handshake(made, address)
    for where, named in (("", "broker 'city-hall' at 127.0.0.1:8883"), ("there", "there")):
        refused = certificate_refused(verdict.value, made, *([where] if where else []))
        assert str(refused) == (
            f"refused [certificate-invalid]: {named}: the broker's certificate is not acceptable: "
            f"{verdict.value.verify_message} (the policy's ca and host must fit the broker)"
        )
