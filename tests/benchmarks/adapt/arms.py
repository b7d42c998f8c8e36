"""An arm: what is changed in the recipe, the samples or the base, as ``arms.toml`` says it."""

from pathlib import Path
from typing import Any

import msgspec

from training.data.dataset import SampleMix
from training.recipe.config import RecipeConfig

ARMS = Path(__file__).with_name("arms.toml")


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``recipe`` and ``mix`` are laid over the defaults; ``base`` is the precision trained over.

    ``repositories`` of 0 are all. ``share`` of the training files are used. ``warm`` starts from the
    adapter trained on so many of the other repositories.
    """

    recipe: dict[str, Any] = {}
    mix: dict[str, Any] = {}
    base: str = "bf16"
    repositories: int = 0
    share: float = 1.0
    warm: bool = False
    controls: bool = False

    def recipe_config(self, seed: int) -> RecipeConfig:
        return msgspec.convert({"seed": seed, **self.recipe}, RecipeConfig)

    def sample_mix(self) -> SampleMix:
        return msgspec.convert(self.mix, SampleMix)


def read_arms(path: Path = ARMS) -> dict[str, Arm]:
    """All arms by name, in the file's order."""
    return msgspec.toml.decode(path.read_bytes(), type=dict[str, Arm])
