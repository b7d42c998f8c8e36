"""An arm: what is changed in the recipe, the samples or the base, as ``arms.toml`` says it."""

from pathlib import Path
from typing import Any

import msgspec

from training.base.loading import Precision
from training.data.dataset import SampleMix
from training.recipe.config import RecipeConfig

ARMS = Path(__file__).with_name("arms.toml")


class Arm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``recipe`` and ``mix`` are laid over training's defaults.

    ``base`` is the precision trained over; scored is always over the GGUF's own weights. Of the
    repositories the first so many are trained on (0: all), with so large a ``share`` of their
    files, and with ``short`` prompts, as on a CPU. ``warm`` starts from an adapter of the other
    repositories. With ``controls`` an adapter
    is also asked without cross-file context, in another repository, and what it forgot. It is asked
    at each of ``scales``, as that much of itself; ``controls`` at the last.
    """

    recipe: dict[str, Any] = {}
    mix: dict[str, Any] = {}
    base: Precision = "bf16"
    repositories: int = 0
    share: float = 1.0
    short: bool = False
    warm: bool = False
    controls: bool = False
    scales: tuple[float, ...] = (1.0,)

    @property
    def recipe_config(self) -> RecipeConfig:
        return msgspec.convert(self.recipe, RecipeConfig)

    @property
    def sample_mix(self) -> SampleMix:
        return msgspec.convert(self.mix, SampleMix)


def read_arms(path: Path = ARMS) -> dict[str, Arm]:
    """All arms by name, in the file's order."""
    return msgspec.toml.decode(path.read_bytes(), type=dict[str, Arm])
