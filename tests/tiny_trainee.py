"""A random Llama of two layers in memory, and samples that it can learn by heart."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from tests.train_extra import torch
from training.data.samples import Sample
from training.recipe.checkpoints import Progress
from training.recipe.config import RecipeConfig
from training.recipe.recipe import Material, TrainingEvent, Watcher, steps_of, train
from training.recipe.trainee import Trainee, unfrozen, with_adapter

VOCABULARY = 64
RECIPE = RecipeConfig(
    method="lora", rank=4, learning_rate=0.01, passes=4.0, step_samples=4, micro_tokens=96,
    prompt_weight=0.3, warmup=0.05, final_rate=0.1, measures=10, patience=4,
)  # fmt: skip
"""8 steps over the 8 samples of :func:`tiny_samples`."""


def tiny_base(*, seed: int = 0, bias: bool = False, dtype: torch.dtype = torch.float32):
    """Frozen; every layer matters to what it says."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=128,
        attention_bias=bias, mlp_bias=bias, initializer_range=0.2, pad_token_id=0,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.2)
    return model.to(dtype).requires_grad_(requires_grad=False)


def tiny_samples(count: int = 8, *, seed: int = 0) -> tuple[Sample, ...]:
    """Random prompts of 5 to 20 tokens, each with a random answer of 6."""
    draw = random.Random(seed)
    lengths = [draw.randint(11, 26) for _ in range(count)]
    return tuple(
        Sample(tuple(draw.choices(range(1, VOCABULARY), k=length)), length - 6)
        for length in lengths
    )


def tiny_material(
    samples: Sequence[Sample] = tiny_samples(), *, heldout: Sequence[Sample] = ()
) -> Material:
    """The same samples over and over; every process begins at its own place."""

    def endless(start: int, step: int) -> Iterator[Sample]:
        return (samples[it % len(samples)] for it in itertools.count(start, step))

    return Material(endless, len(samples), heldout, identity="tiny")


def tiny_trainee(config: RecipeConfig = RECIPE, material: Material | None = None) -> Trainee:
    material = material or tiny_material()
    if config.method == "full":
        return Trainee(unfrozen(tiny_base()))
    return Trainee(with_adapter(tiny_base(), config, steps=steps_of(material.pass_size, config)))


@dataclass(slots=True)
class Trained:
    """A run that is over: what it told, and the weights that it left."""

    progress: Progress
    events: list[TrainingEvent]
    weights: list[torch.Tensor]


@dataclass(slots=True)
class Clock:
    """A run's clock: every step takes as long as the test says."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@dataclass(slots=True)
class Follower:
    """Is asked before every step; stops a run after so many, or does something before one."""

    stop_after: int | None = None
    checkpoint: Path | None = None
    before: Callable[[int], None] = lambda _step: None
    clock: Callable[[], float] = time.monotonic
    events: list[TrainingEvent] = field(default_factory=list)
    asked: int = -1

    def cancelled(self) -> bool:
        self.asked += 1
        self.before(self.asked)
        return self.asked == self.stop_after

    @property
    def watcher(self) -> Watcher:
        return Watcher(self.events.append, self.cancelled, self.checkpoint, self.clock)


def trained(
    material: Material | None = None,
    follower: Follower | None = None,
    *,
    trainee: Trainee | None = None,
    **changes: object,
) -> Trained:
    """A run of :data:`RECIPE` with some of its fields changed."""
    config = msgspec.structs.replace(RECIPE, **changes)
    material, follower = material or tiny_material(), follower or Follower()
    trainee = trainee or tiny_trainee(config, material)
    progress = train(trainee, material, config, follower.watcher)
    return Trained(progress, follower.events, [it.detach() for it in trainee.parameters])
