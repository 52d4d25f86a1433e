"""What is sealed: the JSON that only the recipient reads, holding exactly what the rule's `include`
names.
"""

import base64
from collections.abc import Callable, Mapping

from agent.core.policy.policy import Release
from agent.core.reading.sighting import Sighting
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import canonical
from agent.core.wire.sealed_read import PADDING_BUCKETS_BYTES, pad
from agent.sealing import crop

_DIGITS = 4
MAX_ALTERNATIVES = 8


def padded_payload(sighting: Sighting, release: Release, version: int) -> bytes:
    """The plaintext, padded to its bucket.

    The crop gives way (quality, then size, then entirely); nothing else does. `version`: the tags'.
    """
    content = _content(sighting, release, version)
    if "crop" in release.include:
        for jpeg in crop.encodings(sighting.crop):
            plaintext = pad(canonical({**content, "crop": base64.b64encode(jpeg).decode("ascii")}))
            if plaintext is not None:
                return plaintext
    plaintext = pad(canonical(content))
    # A plate has 12 characters and a few alternatives: kilobytes are out of reach.
    if plaintext is None:
        raise ValueError(f"a payload without its picture is over {PADDING_BUCKETS_BYTES[-1]} bytes")
    return plaintext


def _content(sighting: Sighting, release: Release, version: int) -> dict[str, object]:
    content: dict[str, object] = {
        "v": version,
        "match": {
            "level": release.match.level.value,
            "agency": release.match.entry_agency,
            "case": release.match.entry_case,
            "source_date": release.match.entry_source_date.isoformat(),
            "posterior": None
            if release.match.posterior is None
            else _rounded(release.match.posterior),
        },
    }
    for name, part in _PARTS.items():
        if name in release.include:
            content.update(part(sighting))
    return content


def _plate(sighting: Sighting) -> Mapping[str, object]:
    return {
        "plate": sighting.text.value,
        "confidence": _rounded(sighting.confidence),
        "char_confidence": [_rounded(value) for value in sighting.char_confidence],
        "alternatives": [
            {"plate": other.text.value, "probability": _rounded(other.probability)}
            for other in sighting.alternatives[:MAX_ALTERNATIVES]
        ],
        "state": sighting.state,
        "region": sighting.region,
        "frames": sighting.frames,
    }


def _rounded(value: float) -> float:
    # A model may hand on its own kind of number, which JSON does not know: hence float().
    return round(float(value), _DIGITS)


def _captured_at(sighting: Sighting) -> Mapping[str, object]:
    return {"captured_at": rfc3339(sighting.captured.utc)}


def _camera(sighting: Sighting) -> Mapping[str, object]:
    return {"camera": sighting.camera}


_PARTS: Mapping[str, Callable[[Sighting], Mapping[str, object]]] = {
    "plate": _plate,
    "captured_at": _captured_at,
    "camera": _camera,
}
