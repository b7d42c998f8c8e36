"""The two that are compared: one optimiser step of each, and what each computes.

``Plain`` is what a good user of transformers, PEFT and bitsandbytes writes today; ``Tenon`` is
``training.recipe.recipe.train`` itself.
"""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import torch
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from torch import Tensor, nn

from training.base.loading import Precision
from training.data.samples import Sample
from training.recipe.batching import micro_batches
from training.recipe.config import ATTENTION, FEED_FORWARD, RecipeConfig
from training.recipe.recipe import GRAIN, Material, TrainingCancelledError, Watcher, train
from training.recipe.trainee import Trainee, with_adapter

from .loads import Load
from .shapes import random_model, start_adapter

RANK, ALPHA = 16, 32
LEARNING_RATE = 1e-4


@dataclass(frozen=True, slots=True)
class Case:
    """One way to train: who does it, over which weights, with what.

    ``kept`` is Tenon's alone: what part of the layers' results waits for the backward pass.
    """

    side: str
    precision: Precision
    checkpointed: bool = False
    compiled: bool = False
    kept: float = 1.0
    micro_tokens: int = 8 * 1024

    @property
    def name(self) -> str:
        parts = [self.side, self.precision]
        parts += ["checkpointed"] * self.checkpointed + ["compiled"] * self.compiled
        parts += [f"kept {self.kept:g}"] * (self.kept < 1)
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Computed:
    """Mean cross entropy of the answers (nats per token), and the norm of its gradient."""

    loss: float
    gradient: float


class Side(Protocol):
    def computed(self, samples: Sequence[Sample]) -> Computed:
        """Starts the adapter anew, the same on both sides."""
        ...

    def seconds(self, load: Load, *, warm_up: int, at_least: float) -> list[float]:
        """How long each step took, after ``warm_up`` steps."""
        ...

    def padded(self, load: Load, number: int) -> int: ...


class Plain:
    def __init__(self, shape: str, case: Case, device: torch.device) -> None:
        self._case, self._device = case, device
        model = random_model(shape, case.precision, device)
        settings = {"use_reentrant": False}
        if case.precision == "nf4":
            model = prepare_model_for_kbit_training(
                model,
                use_gradient_checkpointing=case.checkpointed,
                gradient_checkpointing_kwargs=settings,
            )
        elif case.checkpointed:
            model.gradient_checkpointing_enable(settings)
        model.config.use_cache = False
        lora = LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=[*ATTENTION, *FEED_FORWARD],
            task_type="CAUSAL_LM",
        )  # fmt: skip
        self._model = get_peft_model(model, lora).train()
        self._parameters = [it for it in self._model.parameters() if it.requires_grad]

    def _loss(self, samples: Sequence[Sample]) -> Tensor:
        width = max(len(sample.tokens) for sample in samples)
        tokens = torch.zeros(len(samples), width, dtype=torch.long)
        mask, labels = torch.zeros_like(tokens), torch.full_like(tokens, -100)
        for row, sample in enumerate(samples):
            size = len(sample.tokens)
            tokens[row, :size] = torch.tensor(sample.tokens)
            mask[row, :size] = 1
            labels[row, sample.answer : size] = tokens[row, sample.answer : size]
        batch = {"input_ids": tokens, "attention_mask": mask, "labels": labels}
        gpu = self._device.type
        with torch.autocast(gpu, torch.bfloat16, enabled=gpu == "cuda"):
            loss: Tensor = self._model(
                **{name: tensor.to(self._device) for name, tensor in batch.items()}
            ).loss
        return loss

    def computed(self, samples: Sequence[Sample]) -> Computed:
        start_adapter(self._model)
        loss = self._loss(samples)
        loss.backward()
        return Computed(float(loss.detach()), _taken_norm(self._parameters))

    def seconds(self, load: Load, *, warm_up: int, at_least: float) -> list[float]:
        optimizer = _plain_optimizer(self._parameters, self._case.precision, self._device)
        clock = Clock(self._device, warm_up, at_least)
        for number in itertools.count():
            if clock.over():
                return clock.steps
            count = -(-load.step_samples // load.rows)
            for samples in load.batches(number):
                (self._loss(samples) / count).backward()
            nn.utils.clip_grad_norm_(self._parameters, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        raise AssertionError

    def padded(self, load: Load, number: int) -> int:
        return load.padded_plainly(number)


class Tenon:
    def __init__(self, shape: str, case: Case, device: torch.device) -> None:
        self._device = device
        self._config = RecipeConfig(
            method="qlora" if case.precision == "nf4" else "lora",
            rank=RANK, alpha=ALPHA / RANK, learning_rate=LEARNING_RATE, passes=1e9,
            micro_tokens=case.micro_tokens, prompt_weight=0.0,
        )  # fmt: skip
        model = with_adapter(random_model(shape, case.precision, device), self._config)
        self._trainee = Trainee(model, compiled=case.compiled, kept=case.kept)

    @property
    def _cut(self) -> dict[str, int]:
        return {"most_tokens": self._config.micro_tokens, "grain": GRAIN[self._device.type]}

    def computed(self, samples: Sequence[Sample]) -> Computed:
        start_adapter(self._trainee.model)
        losses = []
        for batch in micro_batches(samples, prompt_weight=0.0, **self._cut):
            total, each = self._trainee.losses(batch.to(self._device))
            total.backward()
            losses.append(each.detach())
        each = torch.cat(losses)
        return Computed(float(each.mean()), _taken_norm(self._trainee.parameters) / len(each))

    def seconds(self, load: Load, *, warm_up: int, at_least: float) -> list[float]:
        config = msgspec.structs.replace(self._config, step_samples=load.step_samples)
        material = Material(lambda start, step: itertools.cycle(load.samples), len(load.samples))
        clock = Clock(self._device, warm_up, at_least)
        try:
            train(self._trainee, material, config, Watcher(lambda event: None, clock.over))
        except TrainingCancelledError:
            return clock.steps
        raise AssertionError

    def padded(self, load: Load, number: int) -> int:
        return load.padded_by_tenon(number, **self._cut)


class Clock:
    """Asked before every step whether it is time to stop; counts from the last warm-up step on."""

    def __init__(self, device: torch.device, warm_up: int, at_least: float) -> None:
        self._device, self._left, self._at_least = device, warm_up, at_least
        self._last = 0.0
        self.steps: list[float] = []

    def over(self) -> bool:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        now = time.perf_counter()
        self._left -= 1
        if self._left < -1:
            self.steps.append(now - self._last)
        elif self._left == -1 and self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self._last = now
        return sum(self.steps) >= self._at_least and len(self.steps) >= 2


def side(shape: str, case: Case, device: torch.device) -> Side:
    return {"plain": Plain, "tenon": Tenon}[case.side](shape, case, device)


def _plain_optimizer(
    parameters: list[nn.Parameter], precision: Precision, device: torch.device
) -> torch.optim.Optimizer:
    if precision == "nf4" and device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit(parameters, lr=LEARNING_RATE)
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, fused=device.type == "cuda")


def _taken_norm(parameters: list[nn.Parameter]) -> float:
    """The norm of all gradients, which are then dropped."""
    norm = float(nn.utils.get_total_norm([it.grad for it in parameters if it.grad is not None]))
    for parameter in parameters:
        parameter.grad = None
    return norm
