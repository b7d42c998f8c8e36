"""One run of the starter's recipe, as its TOML says it."""

from pathlib import Path
from typing import Annotated

import msgspec

from ..configuration import Count, NotNegative, Positive, Share, read_toml
from ..data.stream import Mixture

Rank = Annotated[int, msgspec.Meta(ge=32, multiple_of=32)]
"""An artefact's factors lie in blocks of 32 values."""


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run, as its TOML says it; paths are relative to that file.

    ``base`` is the starter's GGUF (empty: the catalogue's, pulled if need be), ``corpus`` and
    ``heldout`` patterns of shards, ``resume`` an artefact to go on from. ``tokens`` counts all that
    is read; a step takes ``rows`` × ``length`` of them. The learning rate rises over ``warmup``
    steps, stays, and falls to nothing over the last ``decay`` share (warmup-stable-decay).
    ``prompt_weight`` is what a token of the prompt counts in the loss beside 1 for a token of the
    answer. Over the last ``rounded`` share of the steps the model runs on weights rounded to Q4_0,
    as it will be served. ``workers`` are processes that make samples; ``compile`` wants a GPU.
    """

    corpus: tuple[str, ...]
    output: str
    base: str = ""
    heldout: tuple[str, ...] = ()
    resume: str = ""
    log: str = ""
    tokens: Count = 255_000_000
    rows: Count = 16
    length: Count = 4096
    learning_rate: Positive = 3.5e-3
    warmup: Annotated[int, msgspec.Meta(ge=0)] = 100
    decay: Share = 0.3
    rounded: Share = 0.3
    prompt_weight: NotNegative = 0.3
    attention_rank: Rank = 96
    feed_forward_rank: Rank = 128
    clip: Positive = 1.0
    seed: int = 1
    workers: Annotated[int, msgspec.Meta(ge=0)] = 0
    compile: bool = True
    checkpoint_seconds: NotNegative = 300.0
    mixture: Mixture = msgspec.field(default_factory=Mixture)

    @property
    def tokens_per_step(self) -> int:
        return self.rows * self.length

    @property
    def steps(self) -> int:
        return max(1, self.tokens // self.tokens_per_step)


def read_config(path: Path) -> Config:
    """Raises SettingsError, which names the field."""
    example = "training/starter/starter.toml"
    return read_toml(
        path, Config, f"give a TOML such as {example}", f"; {example} shows the fields"
    )
