"""What a bare machine needs: make looks for each program that tests call, and looks first."""

import ast
import importlib.util
import os
import re
import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
# Not run by `make test`: these look for their programs themselves.
APART = ("arm64", "boot", "brokers", "picamera")
# A Debian with python3-venv, make and git has these.
BARE = {"apt-get", "bash", "git", "install", "make", "mount", "sh", "umount", "yes"}
# Without these a test is skipped and says why.
SKIPPED_WITHOUT = {"chromium", "chromium-browser", "ip", "nft", "pdftoppm"}
WITH_SYSTEMD_ANALYZE = {
    "systemd-creds",
    "systemd-socket-activate",
    "systemd-sysusers",
    "systemd-tmpfiles",
}


def first_words(node):
    """Texts that are called as a program, looked up as one, or stand before an option."""
    words = []
    if isinstance(node, ast.Call):
        name, arguments = ast.unparse(node.func), node.args[:1]
        if name in {"shutil.which", "run"}:
            words = arguments
        elif name.startswith("subprocess."):
            words = [each.elts[0] for each in arguments if isinstance(each, ast.List) and each.elts]
    elif isinstance(node, ast.List | ast.Tuple):
        texts = [each for each in node.elts[:2] if isinstance(each, ast.Constant)]
        if len(texts) == 2 and re.match("--?[a-z]", str(texts[1].value)):
            words = texts[:1]
    return {word.value for word in words if isinstance(word, ast.Constant)}


def called():
    """{program: a file that calls it}, the subcommands of `platewarden` left out."""
    found = {}
    for path in (*ROOT.glob("tests/**/*.py"), *ROOT.glob("hw_tests/**/*.py")):
        if path.relative_to(ROOT).parts[1] in APART or "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            found |= dict.fromkeys(first_words(node), path.name)
    page = (ROOT / "docs/ref/commands.md").read_text()
    own = " ".join(re.findall(r"^\| \[`platewarden ([a-z -]+)`", page, re.MULTILINE)).split()
    assert {"watch", "walls"} <= set(own)
    programs = {word for word in found if re.fullmatch("[a-z][a-z0-9-]+", str(word))}
    return {program: found[program] for program in programs.difference(own)}


def dry_run(target, tmp_path):
    """What make would do, were nothing installed."""
    command = ["make", "--no-print-directory", "-C", ROOT, "-n", target, f"VENV={tmp_path / 'v'}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_make_test_looks_for_every_program_that_the_tests_call(tmp_path):
    looked_for = set(re.findall(r"([a-z0-9-]+):[a-z0-9-]+", dry_run("programs-test", tmp_path)))
    programs = called()
    assert {"mosquitto", "node", "ps", "softhsm2-util", "strace"} <= set(programs)
    for program, path in programs.items():
        known = BARE | SKIPPED_WITHOUT | WITH_SYSTEMD_ANALYZE | looked_for
        assert program in known, f"{path} calls {program}: PROGRAMS_test in the Makefile lacks it"


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_make_deb_and_the_build_look_for_the_same_on_any_desk(tmp_path, monkeypatch, machine):
    """On one of arm64 make asked for gcc, which has no x86_64-linux-gnu-gcc there."""
    build = runpy.run_path(str(ROOT / "debian/build.py"))
    uname = tmp_path / "uname"
    uname.write_text(f"#!/bin/sh\necho {machine}\n")
    uname.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked = dict(re.findall(r"([\w-]+):([a-z0-9-]+)", dry_run("programs-deb", tmp_path)))
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit) as said:
        build["look_for_programs"](list(build["MACHINES"]))
    names, packages = re.fullmatch(
        r"missing: (.*)\. .* --no-install-recommends (.*)", str(said.value)
    ).groups()
    assert asked == dict(zip(names.split(), packages.split(), strict=True))


LONG = [
    "deb",
    "test-deb",
    "test-boot",
    "test-picamera",
    "test-fresh",
    "test-arm64",
    "test-witness",
    "test-brokers",
    "test-fleet",
    "hw",
    "night",
    "faults",
    "mutation",
    "models",
    "bench-stream",
]


@pytest.mark.parametrize("target", LONG)
def test_a_long_target_looks_for_its_programs_before_anything_else(target, tmp_path):
    told = dry_run(target, tmp_path)
    before = told[: told.index("command -v")]
    assert re.findall(r"python|-m pip|\.sh\b|npm ci", before) == []
    assert "needs:$missing" in told, "one line that names them, with the command to install them"


def test_make_test_looks_then_installs_wheels_then_tests(tmp_path):
    told = dry_run("test", tmp_path)
    assert told.index("command -v") < told.index("-m pip")
    # The makes inside look again, and find everything there.
    assert told.index("-m pip") < told.index("stopwatch.sh test") < told.index("ruff format")
    assert told.index("ruff format") < told.index("-m pytest")
    installs = re.findall(r"-m pip [^\n\\]*(?:\\\n[^\n\\]*)*", told)
    assert installs
    assert all("--only-binary :all:" in install for install in installs)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("check", "mosquitto:mosquitto"),
        ("hw", "mosquitto:mosquitto"),
        ("deb", "dh:debhelper"),
        ("models", "npm:npm"),
        ("test-deb", "needs root"),
        ("test-arm64", "needs root"),
        ("test-boot", "needs root"),
        ("test-picamera", "needs root"),
        ("test-fresh", "needs root"),
    ],
)
def test_a_target_looks_before_it_does_anything(target, words, tmp_path):
    told = dry_run(target, tmp_path)
    assert words in told.splitlines()[0]
    assert not told.startswith("python")


@pytest.fixture
def sources():
    """tests/fresh/sources.py, which lies in no package."""
    spec = importlib.util.spec_from_file_location("sources", ROOT / "tests/fresh/sources.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path):
    for name in ("etc/apt/apt.conf.d", "root"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    return tmp_path / "tree"


def test_pip_in_the_tree_asks_where_pip_outside_asks(sources, tree, tmp_path, monkeypatch):
    (tmp_path / "index/simple").mkdir(parents=True)
    (tmp_path / "own.pem").write_text("a certificate")
    listed = [
        f":env:.find-links='{tmp_path}'",
        "global.find-links='/nowhere'",
        "global.constraint='/etc/some/constraints.txt'",
        f"global.cert='{tmp_path}/own.pem'",
        f"global.extra-index-url='https://index.invalid/simple file://{tmp_path}/index/simple'",
    ]
    monkeypatch.setattr(sources, "told", lambda *_: "\n".join(listed))
    assert sources.give_pip(tree) == [str(tmp_path / "index"), str(tmp_path)]
    assert (tree / "etc/pip.conf").read_text().splitlines() == [
        "[global]",
        f"find-links = {tmp_path}",
        "cert = /etc/machine/own.pem",
        f"extra-index-url = https://index.invalid/simple file://{tmp_path}/index/simple",
    ]
    assert (tree / "etc/machine/own.pem").read_text() == "a certificate"


def test_apt_in_the_tree_has_mirror_and_proxy_and_nothing_else(sources, tree, monkeypatch):
    dump = 'Acquire::http::Proxy "http://proxy.invalid:3142";\nAPT::Install-Recommends "1";\n'
    monkeypatch.setattr(sources, "told", lambda *_: dump)
    monkeypatch.setattr(sources, "AUTHORITIES", tree / "none")
    assert sources.give_apt(tree, "https://mirror.invalid/debian", "trixie") == []
    written = (tree / "etc/apt/sources.list").read_text()
    assert written == "deb https://mirror.invalid/debian trixie main\n"
    settings = (tree / "etc/apt/apt.conf.d/90machine").read_text()
    assert settings == 'Acquire::http::Proxy "http://proxy.invalid:3142";\n'
