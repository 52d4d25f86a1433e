"""The container recipe and the compose file say what is there: no engine is here to build them."""

import re
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.fleet.demo import PARTS
from tests.support.desk_wheel import wheel_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "containers"
# Of the Compose Specification, what is used; a word that is misspelt is none of them.
TOP = {"name", "services", "networks", "volumes", "secrets"}
SERVICE = {
    *("image", "build", "command", "environment", "volumes", "networks", "ports", "secrets"),
    *("depends_on", "healthcheck", "restart", "read_only", "tmpfs", "cap_drop", "security_opt"),
    "profiles",
}
MOUNT = {"type", "source", "target", "read_only"}


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice."""

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"line {node.start_mark.line}: {twice} is there twice"
        self.flatten_mapping(node)
        return super().construct_mapping(node, deep)


def read(text):
    return yaml.load(text, Strict)


COMPOSE = read((FOLDER / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if "build" in one}
RECIPE = (FOLDER / "Containerfile").read_text().replace("\\\n", " ")


def test_a_key_that_is_there_twice_would_be_seen():
    with pytest.raises(AssertionError, match="twice"):
        read("a: 1\na: 2\n")


def test_it_uses_words_of_the_specification_alone():
    assert COMPOSE.keys() <= TOP
    for name, one in SERVICES.items():
        assert one.keys() <= SERVICE, name
        assert all(mount.keys() <= MOUNT for mount in one.get("volumes", ())), name


def test_it_describes_what_the_demo_starts():
    assert tuple(SERVICES) == PARTS


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_there(name):
    one = SERVICES[name]
    assert set(one["networks"]) <= COMPOSE["networks"].keys()
    assert set(one.get("secrets", ())) <= COMPOSE["secrets"].keys()
    assert set(one.get("depends_on", ())) <= SERVICES.keys()
    for mount in one["volumes"]:
        assert mount["type"] in {"bind", "volume"}
        assert mount["type"] == "bind" or mount["source"] in COMPOSE["volumes"]


def test_networks_and_volumes_that_nobody_uses_are_not_there():
    used = {network for one in SERVICES.values() for network in one["networks"]}
    mounts = [mount for one in SERVICES.values() for mount in one["volumes"]]
    assert used == COMPOSE["networks"].keys()
    assert {m["source"] for m in mounts if m["type"] == "volume"} == COMPOSE["volumes"].keys()


def test_who_waits_for_health_waits_for_somebody_who_tells():
    for one in SERVICES.values():
        for other, how in one.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other]


def test_images_of_others_have_a_version():
    images = [one["image"] for one in SERVICES.values() if "build" not in one]
    assert images
    assert all(re.search(r":\d", image) for image in images)


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_commands_that_exist_without_rights(name):
    one = OURS[name]
    group, command, folder, *options = one["command"]
    text = (ROOT / "agent/commands" / group / f"{command}.py").read_text()
    assert all(f'"{word}"' in text for word in options if word.startswith("--"))
    assert [mount["target"] for mount in one["volumes"]] == [folder]
    assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"])


def test_each_receiver_has_a_folder_of_its_own():
    folders = [OURS[f"receiver-{n}"]["volumes"][0]["source"] for n in (1, 2)]
    assert folders == ["./receiver-1", "./receiver-2"]


def test_nobody_outside_reaches_more_than_the_broker():
    """The inbox is for this machine; the database is for nobody."""
    ports = {name: one["ports"] for name, one in SERVICES.items() if "ports" in one}
    assert ports == {"broker": ["8883:8883"], "inbox": ["127.0.0.1:8490:8490"]}
    assert COMPOSE["networks"]["store"]["internal"] is True


def test_addresses_lie_in_their_networks():
    for one in SERVICES.values():
        if isinstance(one["networks"], dict):
            for network, place in one["networks"].items():
                [known] = COMPOSE["networks"][network]["ipam"]["config"]
                prefix = known["subnet"].removesuffix("0/24")
                assert place["ipv4_address"].startswith(prefix)
                assert place["ipv4_address"] in (FOLDER / "README.md").read_text()


def test_the_recipe_copies_what_is_there_and_installs_what_the_desk_needs():
    for line in re.findall(r"^COPY (.*)$", RECIPE, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
    [extras] = re.findall(r"grep -E '# \.\*\\b\(([a-z|-]+)\)\\b' /src/requirements.lock", RECIPE)
    assert set(extras.split("|")) == {"receiver-postgresql", "inbox"}
    assert all(f'"{extra}": [' in (ROOT / "setup.py").read_text() for extra in extras.split("|"))


@pytest.mark.slow
def test_what_the_recipe_copies_is_enough_to_build_us(tmp_path):
    """`models` and NOTICE were not among it, so that no image could be built."""
    source = tmp_path / "src"
    for line in re.findall(r"^COPY (.*)$", RECIPE, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            into = tmp_path / target[1:]
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, into)
    with zipfile.ZipFile(wheel_of(source, tmp_path)) as wheel:
        held = set(wheel.namelist())
    assert {"agent/receiver/inbox/pages.py", "agent/docs/ref/time.md"} <= held
    assert not [name for name in held if name.endswith(".onnx")]


def test_the_recipe_installs_from_the_lock_alone():
    """No install asks an index for anything that has no hash; ours is built by the lock's tools."""
    installs = [part.split() for part in RECIPE.split("pip install")[1:]]
    locked, ours = ({word for word in words if word.startswith("--")} for words in installs)
    assert {"--only-binary", "--require-hashes", "--no-deps", "--requirement"} <= locked
    assert {"--no-deps", "--no-build-isolation"} <= ours
    assert "/src" in installs[1]


@pytest.mark.parametrize("file", ["containers/Containerfile", "hw_tests/night/Containerfile"])
def test_the_base_can_be_pinned_by_its_digest(file):
    recipe = (ROOT / file).read_text()
    [base] = re.findall(r"^ARG BASE=(\S+)$", recipe, re.MULTILINE)
    assert re.fullmatch(r"docker\.io/library/\w+:[\w.-]*\w+-\w+", base)
    assert re.findall(r"^FROM (.*)$", recipe, re.MULTILINE) == ["${BASE}"]


def test_how_a_base_is_pinned_is_told():
    [base] = re.findall(r"^ARG BASE=(\S+)$", RECIPE, re.MULTILINE)
    told = (FOLDER / "README.md").read_text()
    assert f"pull {base}" in told
    assert "--build-arg BASE=" in told


def test_the_recipe_ends_as_somebody_without_rights():
    users = re.findall(r"^USER (.*)$", RECIPE, re.MULTILINE)
    assert users[-1] == "platewarden-receiver"
    assert OURS["inbox"]["build"]["dockerfile"] == "containers/Containerfile"
    [uid] = re.findall(r"--uid (\d+)", RECIPE)
    assert f"{uid}:{uid} receiver-1" in (FOLDER / "README.md").read_text()
