"""How an adapter is trained: what a TOML may say, and what follows from the number of samples."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from lsp_server.store.runs import KEPT_RUNS

from ..configuration import Count, NotNegative, Positive, Share, read_toml
from ..data.dataset import SampleMix

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj", "c_fc", "c_proj")
"""The last two are StarCoder 2's; names that a base lacks are passed over."""

RATE, FEW_STEPS_RATE = 3e-3, 4e-3
STEP_SAMPLES, FEW_STEPS_SAMPLES = 16, 8
"""Learning rates and samples a step: of a run that makes all its passes, and of one that has time
for some 750 samples, as on a CPU (docs/benchmarks.md)."""

Method = Literal["auto", "qlora", "lora", "full", "dora", "adalora"]


class RecipeConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One training run.

    ``method``: ``auto`` is ``qlora`` on a GPU that the base would half fill, else ``lora``;
    ``qlora`` trains over NF4 blocks, ``lora`` over the dequantised weights, ``full`` all of them,
    ``dora`` and ``adalora`` with PEFT's variants. ``rank`` is LoRA's r, ``alpha`` its α in
    multiples of r. A step reads ``step_samples`` samples (0: 16, on a CPU 8, or the next number
    that the processes of a run can share equally), ``micro_tokens`` at once; the learning rate
    (:attr:`rate` chooses for 0) rises over ``warmup`` (a share of the run), then falls as a cosine
    to ``final_rate`` of itself. ``prompt_weight`` is what a token of the prompt counts in the loss
    beside 1 for a token of the answer; ``anchor`` is the part of every token's target that is not
    the truth but what the base says without the adapter, at the price of one more forward pass
    (with ``passes`` 8 and ``strength`` 1). The held-out loss is measured at ``strength``, a part of
    the adapter's own: one that learns fast and serves at half of it is better than one that learns
    slowly (docs/benchmarks.md). ``patience``: measurements of that loss without a better one before
    the run stops. A run is saved when it is measured (``measures`` times), and every
    ``checkpoint_seconds``. Seconds and steps of 0 are no limit.

    A run that starts from the adapter that serves makes ``warm_passes``; every ``scratch_every``-th
    run starts from scratch (1: each; at most as many as there are runs kept).
    """

    method: Method = "auto"
    rank: Count = 16
    alpha: Positive = 2.0
    dropout: Share = 0.0
    modules: tuple[str, ...] = (*ATTENTION, *FEED_FORWARD)
    learning_rate: NotNegative = 0.0
    passes: Positive = 4.0
    warm_passes: Positive = 2.0
    scratch_every: Annotated[int, msgspec.Meta(ge=1, le=KEPT_RUNS)] = 5
    max_steps: Annotated[int, msgspec.Meta(ge=0)] = 0
    time_budget: NotNegative = 0.0
    step_samples: Annotated[int, msgspec.Meta(ge=0)] = 0
    micro_tokens: Count = 16_384
    warmup: Share = 0.05
    final_rate: Share = 0.1
    prompt_weight: Share = 0.3
    anchor: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    weight_decay: NotNegative = 0.0
    clip: Positive = 1.0
    strength: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    patience: Count = 4
    measures: Count = 5
    checkpoint_seconds: NotNegative = 120.0
    seed: int = 1

    @property
    def rate(self) -> float:
        """The learning rate at its peak."""
        return self.learning_rate or RATE

    @property
    def batch(self) -> int:
        """Samples that a step reads."""
        return self.step_samples or STEP_SAMPLES


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ``tenon train --config`` reads: ``[recipe]`` and ``[mix]``, all of it optional."""

    recipe: RecipeConfig = RecipeConfig()
    mix: SampleMix = SampleMix()


def read_config(path: Path) -> TrainConfig:
    """Raises SettingsError, which names the field."""
    return read_toml(path, TrainConfig, "give a TOML with [recipe] and [mix]")
