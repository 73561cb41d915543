import pytest

from quickthumb.config import BUILT_IN_PRESETS, ConfigError
from quickthumb.model.order import DEFAULT_PRESET, written_output
from quickthumb.service.presets import read_presets


def test_the_built_in_ones_are_in_order() -> None:
    presets = read_presets(BUILT_IN_PRESETS)
    (default,) = presets[DEFAULT_PRESET]
    assert written_output(default) == {"name": "thumbnail", "width": 128, "height": 128}
    assert [output.name for output in presets["square-32-64"]] == ["square-32", "square-64"]
    assert presets["gray-blur"][0].grayscale


def test_an_output_without_a_name_gets_the_preset_s() -> None:
    presets = read_presets({"card": [{"width": 600}], "both": [{"width": 1}, {"width": 2, "name": "two"}]})
    assert [output.name for output in presets["card"]] == ["card"]
    assert [output.name for output in presets["both"]] == ["both-1", "two"]


@pytest.mark.parametrize(
    ("preset", "sentence"),
    [
        ({"card": [{"width": 0}]}, "PRESETS: the preset 'card': width: Input should be"),
        (
            {"card": [{}, {"widht": 5}]},
            "PRESETS: output 2 of the preset 'card': widht: there is no such parameter; perhaps you mean width.",
        ),
        ({"card": [{"size": "5"}]}, "PRESETS: the preset 'card': size must look like 128x128."),
        ({"card": [{"fit": "cover"}]}, "PRESETS: the preset 'card': fit cover needs"),
        ({"card": [{"position": "x"}]}, "PRESETS: the preset 'card': position: must be one of center, "),
        ({"card": [{"name": "A"}]}, "PRESETS: the preset 'card': name: "),
        ({"card": []}, "PRESETS: the preset 'card' must have 1 to 32 outputs, not 0."),
        ({"card": [{}] * 33}, "PRESETS: the preset 'card' must have 1 to 32 outputs, not 33."),
        ({"card": [{"name": "a"}, {"name": "a"}]}, "PRESETS: the preset 'card' gives the name 'a' to 2 outputs."),
        ({"My card": [{}]}, "PRESETS: the name 'My card' must consist of lowercase letters, "),
    ],
)
def test_a_mistake_is_one_sentence_with_the_preset_and_the_field(
    preset: dict[str, list[dict[str, object]]], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_presets(preset)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).endswith(".")
