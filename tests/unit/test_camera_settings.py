"""[camera] and [night]: what is nonsense is refused by one clear error that names the field."""

import pytest

from agent.errors import ConfigError
from agent.settings import load


def loaded(tmp_path, text):
    path = tmp_path / "platewarden.toml"
    path.write_text(f'camera_id = "cam-1"\n{text}\n')
    return load(path)


def test_a_day_and_a_night(tmp_path):
    settings = loaded(
        tmp_path,
        '[camera]\nexposure_us = 800\ncrop = [0, 0.25, 1, 0.5]\nrequired = ["exposure", "crop"]\n'
        "[night]\nbelow_lux = 20\nabove_lux = 60\ngain = 8",
    )
    assert (settings.camera.exposure_us, settings.camera.crop, settings.camera.required) == (
        800,
        (0, 0.25, 1, 0.5),
        ("exposure", "crop"),
    )
    assert (settings.night.below_lux, settings.night.gain, settings.night.exposure_us) == (
        20,
        8,
        None,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[camera]\nexposure_us = 0", "camera.exposure_us"),
        ('[camera]\nexposure_us = "short"', "camera.exposure_us"),
        ("[camera]\ngain = 0.5", "camera.gain"),
        ("[camera]\nfocus_m = 0", "camera.focus_m"),
        ("[camera]\ncrop = [0.5, 0, 0.6, 1]", "camera: .*crop is left, top, width, height"),
        ("[camera]\ncrop = [0, 0, 0.01, 1]", "camera: .*at least 0.05"),
        ("[camera]\ncrop = [0, 0, 1]", "camera.crop"),
        ('[camera]\nrequired = ["zoom"]', "camera.required"),
        ("[camera]\nlook_every_s = 0", "camera.look_every_s"),
        ("[night]\nbelow_lux = 20", "night: .*belong together"),
        ("[night]\nbelow_lux = 60\nabove_lux = 20", "night: .*above_lux is the higher"),
        ("[night]\ngain = 8.0", "night: .*never night"),
    ],
)
def test_nonsense_is_refused(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(tmp_path, text)
    assert caught.value.exit_code == 2
