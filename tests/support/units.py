"""Reads one section of a systemd unit as systemd does: keys may repeat."""

from pathlib import Path


class Unit(dict[str, list[str]]):
    """Each key with all its values, in order (configparser would keep the last)."""

    def __init__(self, path: Path, wanted: str = "[Service]") -> None:
        super().__init__()
        section = ""
        for line in path.read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == wanted and "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                self.setdefault(key, []).append(value)

    def words(self, key: str) -> set[str]:
        """All words of all values, without the `-` that allows a path to be missing."""
        return {word.removeprefix("-") for value in self.get(key, []) for word in value.split()}

    def one(self, key: str) -> str:
        """The only value of a key that stands once."""
        assert len(self.get(key, [])) == 1, f"{key} stands {len(self.get(key, []))} times"
        return self[key][0]
