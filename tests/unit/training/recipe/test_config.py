"""A run's TOML: all of it optional, and a mistake is told by the field's name."""

from pathlib import Path

import pytest

import tests.train_extra  # noqa: F401
from lsp_server.errors import SettingsError
from training.recipe.config import RecipeConfig, TrainConfig, read_config


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, ""))
    assert config == TrainConfig()
    assert config.recipe.method == "auto"


def test_what_is_given_is_laid_over_the_defaults(tmp_path: Path) -> None:
    text = '[recipe]\nmethod = "dora"\nrank = 8\nmodules = ["q_proj"]\n'
    expected = RecipeConfig(method="dora", rank=8, modules=("q_proj",))
    assert read_config(written(tmp_path, text)).recipe == expected


@pytest.mark.parametrize(
    "line",
    [
        'method = "lore"', "rank = 0", 'rank = "8"', "rank = 1.5", "learning_rate = -1",
        "learning_rate = nan", "alpha = -1", "passes = 0", "warmup = 1.5", "dropout = -0.1",
        "prompt_weight = 2", "max_steps = -1", "time_budget = -1", "step_samples = -1",
        "anchor = 1", "clip = 0", "patience = 0", 'modules = "q_proj"', "seed = true",
    ],
)  # fmt: skip
def test_a_bad_value_is_told_by_its_field(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, f"[recipe]\n{line}\n")
    with pytest.raises(SettingsError) as caught:
        read_config(path)
    assert f"recipe.{line.split(maxsplit=1)[0]}`" in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "told"),
    [("[recipe]\nranks = 8\n", "ranks"), ("[receipt]\nrank = 8\n", "receipt"),
     ("[mix]\nnone = 1\n", "none"), ("[recipe\n", "line 1")],
)  # fmt: skip
def test_what_is_no_field_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_config(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"No such file.*\[recipe\] and \[mix\]"):
        read_config(tmp_path / "missing.toml")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"run\.toml"):
        read_config(path)
