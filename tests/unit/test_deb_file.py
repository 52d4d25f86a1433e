"""A package is read, never run: what it says of itself, and its files below one folder."""

import tarfile

import pytest

from agent.disk import deb_file
from agent.disk.deb_file import control_of, texts_below, unpack
from agent.errors import ConfigError
from tests.support.small_package import SOFTWARE, deb


def member(name, kind, target=""):
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.mark.parametrize("kind", ["xz", "gz", ""])
def test_control_and_files(tmp_path, kind):
    files = {f"{SOFTWARE}/agent/a.py": b"a" * 3_000_001, "usr/bin/platewarden": b"#!", "etc/x": b""}
    package = deb(tmp_path / "a.deb", "1.4.0~bookworm1", files, kind=kind)
    control = control_of(package)
    assert (control["Version"], control["Architecture"]) == ("1.4.0~bookworm1", "arm64")
    assert unpack(package, SOFTWARE, tmp_path / "into") == 1
    found = [path for path in (tmp_path / "into").rglob("*") if path.is_file()]
    assert found == [tmp_path / "into" / SOFTWARE / "agent/a.py"]
    assert found[0].read_bytes() == b"a" * 3_000_001
    assert found[0].stat().st_mode & 0o777 == 0o644


def test_texts_of_one_folder_only(tmp_path):
    files = {"usr/units/a.service": b"[Unit]\n", "usr/units/a.d/x.conf": b"x", "usr/b": b"b"}
    package = deb(tmp_path / "a.deb", files=files)
    assert texts_below(package, "usr/units", 100) == {"a.service": b"[Unit]\n"}
    with pytest.raises(ConfigError, match="too long"):
        texts_below(package, "usr/units", 6)


@pytest.mark.parametrize(
    "odd",
    [
        member(f"./{SOFTWARE}/agent/link.py", tarfile.SYMTYPE, "/etc/shadow"),
        member(f"./{SOFTWARE}/agent/hard.py", tarfile.LNKTYPE, "etc/shadow"),
        member(f"./{SOFTWARE}/agent/device", tarfile.CHRTYPE),
        member(f"./{SOFTWARE}/../../../etc/cron.d/x", tarfile.REGTYPE),
    ],
)
def test_what_is_no_plain_file_where_modules_belong_is_refused(tmp_path, odd):
    package = deb(tmp_path / "a.deb", extra=(odd,))
    with pytest.raises(ConfigError, match="link or a device"):
        unpack(package, SOFTWARE, tmp_path / "into")
    assert not (tmp_path / "etc").exists()


def test_links_elsewhere_are_no_concern(tmp_path):
    link = member("./usr/share/doc/docs", tarfile.SYMTYPE, "../../lib")
    assert unpack(deb(tmp_path / "a.deb", extra=(link,)), SOFTWARE, tmp_path / "into") == 1


def test_more_than_fits(tmp_path, monkeypatch):
    files = {f"{SOFTWARE}/{number}.py": b"x" * 10 for number in range(5)}
    package = deb(tmp_path / "a.deb", files=files)
    for name, most in (("MOST_FILES", 4), ("MOST_UNPACKED_BYTES", 49)):
        with monkeypatch.context() as patch:
            patch.setattr(deb_file, name, most)
            with pytest.raises(ConfigError, match="more than a camera takes"):
                unpack(package, SOFTWARE, tmp_path / name)


def test_damaged_anywhere_it_is_a_refusal_that_names_the_file(tmp_path):
    whole = deb(tmp_path / "whole.deb").read_bytes()
    damaged = tmp_path / "damaged.deb"
    for cut in (0, 7, 30, 68, 70, 200, len(whole) // 2, len(whole) - 30):
        damaged.write_bytes(whole[:cut])
        with pytest.raises(ConfigError, match=r"damaged\.deb"):
            unpack(damaged, SOFTWARE, tmp_path / f"into-{cut}")
    damaged.write_bytes(whole.replace(b"control.tar", b"kontrol.tar"))
    with pytest.raises(ConfigError, match=r"has no control\.tar"):
        control_of(damaged)


def test_a_package_without_a_control_file(tmp_path, monkeypatch):
    package = deb(tmp_path / "a.deb")
    monkeypatch.setattr(deb_file, "_MOST_CONTROL_BYTES", 10)
    with pytest.raises(ConfigError, match="too long"):
        control_of(package)
