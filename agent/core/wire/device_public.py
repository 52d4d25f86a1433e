"""A camera's public keys, as public.json holds them and the city enrols them."""

from agent.core.text.identifier import is_domain
from agent.core.text.strict_json import Fields, canonical, parse_object, public_jwk
from agent.values import dataclass

FILE_NAME = "public.json"
MAX_BYTES = 4_096


@dataclass(frozen=True, slots=True)
class DevicePublic:
    """Raw Ed25519 public keys, 32 bytes each. `seal` signs sealed reads; the others sign each
    process's log checkpoints. `domain`: of the city that owns the camera, by which its logs are
    named; "" on a camera that was made without one.
    """

    device: str
    seal: bytes
    watch_log: bytes
    deliver_log: bytes
    domain: str = ""


def format_device_public(public: DevicePublic) -> bytes:
    """The bytes of public.json."""
    keys = {"seal": public.seal, "watch_log": public.watch_log, "deliver_log": public.deliver_log}
    return (
        canonical(
            {
                "device": public.device,
                **({"domain": public.domain} if public.domain else {}),
                **{name: public_jwk("Ed25519", raw) for name, raw in keys.items()},
            }
        )
        + b"\n"
    )


def parse_device_public(untrusted_json: bytes, where: str = FILE_NAME) -> DevicePublic:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    fields = Fields(
        parse_object(untrusted_json, where),
        where,
        required=("device", "seal", "watch_log", "deliver_log"),
        optional=("domain",),
    )
    domain = fields.text("domain") if "domain" in fields else ""
    if domain and not is_domain(domain):
        raise fields.bad("domain", "a domain name in lower case")
    return DevicePublic(
        device=fields.identifier("device"),
        seal=fields.public_key("seal", "Ed25519"),
        watch_log=fields.public_key("watch_log", "Ed25519"),
        deliver_log=fields.public_key("deliver_log", "Ed25519"),
        domain=domain,
    )
