"""Writes a package's list of parts (SBOM) in CycloneDX's JSON: each wheel with its SHA-256, the
shared libraries in it, and our networks. Debian's own parts stand in the package's Depends.
"""

import hashlib
import os
import re
import runpy
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_string
from email.message import Message
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

STAGE = runpy.run_path(str(Path(__file__).with_name("stage.py")))
ABSENT = runpy.run_path(str(Path(__file__).with_name("absent.py")))
PRIVATE = STAGE["PRIVATE"]
TAG = re.compile(r"-[0-9a-f]{8}(?=[-.])")  # which auditwheel puts into a copied library's name


def digest(file: Path) -> HashType:
    return HashType(
        alg=HashAlgorithm.SHA_256, content=hashlib.sha256(file.read_bytes()).hexdigest()
    )


def licence(told: Message) -> License | None:
    """As the wheel itself names it, in a word or an SPDX expression; None where it gives a text."""
    named = told.get("License-Expression") or told.get("License") or ""
    if not named or "\n" in named or len(named) > 100:
        return None
    return LicenseFactory().make_from_string(named)


def libraries(root: Path, wheel: str) -> Iterator[Component]:
    """The shared libraries that a wheel brings beside its modules, or what stands in for one."""
    for file in sorted((root / PRIVATE / f"{wheel}.libs").glob("*.so*")):
        empty = f"{wheel}.libs" in ABSENT["WHEELS"] and ABSENT["ABSENT"].match(file.name)
        name, _, version = TAG.sub("", file.name).partition(".so.")
        yield Component(
            type=ComponentType.LIBRARY,
            name=name.removesuffix(".so"),
            version=version or None,
            bom_ref=f"{wheel}/{file.name}",
            description="stands in for the library that was left out" if empty else None,
            hashes=[digest(file)],
        )


def parts(root: Path, wheels: Path) -> Iterator[Component]:
    """Of what a package holds, each part that somebody may have to look up."""
    files = {tuple(file.name.split("-")[:2]): file for file in wheels.glob("*.whl")}
    for folder in sorted((root / PRIVATE).glob("*.dist-info")):
        name, version = folder.name.removesuffix(".dist-info").split("-")
        told = message_from_string((folder / "METADATA").read_text(encoding="utf-8"))
        plain = STAGE["plain"](name)
        url = PackageURL("pypi", None, plain, version)
        named = licence(told)
        yield Component(
            type=ComponentType.LIBRARY,
            name=plain,
            version=version,
            purl=url,
            bom_ref=str(url),
            licenses=[named] if named else [],
            hashes=[digest(files[name, version])],
            components=libraries(root, name),
        )
    for file in sorted((root / PRIVATE).glob("models/*.onnx")):
        yield Component(
            type=ComponentType.MACHINE_LEARNING_MODEL,
            name=file.stem,
            bom_ref=f"models/{file.name}",
            hashes=[digest(file)],
        )


def write(root: Path, package: str, version: str, architecture: str, wheels: Path) -> Path:
    """The list, beside the package's other documents; its bytes depend on nothing but its parts."""
    url = PackageURL("deb", None, package, version, {"arch": architecture})
    whole = Component(
        type=ComponentType.APPLICATION,
        name=package,
        version=version,
        purl=url,
        bom_ref=str(url),
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    held = list(parts(root, wheels))
    told = "".join(f"{one.bom_ref}{next(iter(one.hashes)).content}\n" for one in held)
    list_of_parts = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"{url}\n{told}"),
        metadata=BomMetaData(
            component=whole,
            timestamp=datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC),
        ),
        components=held,
    )
    list_of_parts.register_dependency(whole, held)
    file = root / "usr/share/doc" / package / f"{package}.cdx.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(JsonV1Dot6(list_of_parts).output_as_string(indent=1) + "\n", encoding="utf-8")
    return file
