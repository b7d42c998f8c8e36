"""One adapter: trained on samples of one repository until it stops getting better.

Read top to bottom: what is set up, the loop, what is kept. It knows no repository, no engine and no
store: it is given samples, and leaves in the model the weights whose held-out loss was least.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from peft import PeftModel
from torch import Tensor, nn

from lsp_server.errors import TenonError

from ..data.samples import Sample
from . import checkpoints
from .batching import MicroBatch, micro_batches
from .checkpoints import Checkpoint, Progress
from .config import RecipeConfig
from .trainee import Trainee

GRAIN = {"cuda": 128, "cpu": 8}
"""Lengths are multiples of so many tokens, so that a GPU sees few shapes."""


class TrainingCancelledError(TenonError):
    """The user, or the system, asked a run to stop."""


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """What some steps came to.

    ``loss`` and ``heldout`` are mean cross entropies of answers, in nats per token; ``heldout`` is
    None where there is nothing held out. ``eta`` is in seconds.
    """

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens_per_second: float
    eta: float
    heldout: float | None = None


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from: ``samples(start, step)`` are endless, ``pass_size`` of them a pass.

    ``unlearned`` are the control tokens that only a prompt holds; ``identity`` tells this material
    and base from any other, so that no run goes on from another's checkpoint.
    """

    samples: Callable[[int, int], Iterator[Sample]]
    pass_size: int
    heldout: Sequence[Sample] = ()
    unlearned: frozenset[int] = frozenset()
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Watcher:
    """Whoever follows a run: is told of its steps, may stop it, and says where it is saved."""

    report: Callable[[TrainingEvent], None]
    cancelled: Callable[[], bool] = lambda: False
    checkpoint: Path | None = None


def train(trainee: Trainee, material: Material, config: RecipeConfig, watcher: Watcher) -> Progress:
    """Train until steps, time or patience are used up; raises TrainingCancelledError.

    Under ``accelerate launch`` every process takes its part of each step's samples.
    """
    training = _Training(trainee, material, config, watcher)
    training.begin()
    while not training.over:
        if watcher.cancelled():
            raise TrainingCancelledError("training was cancelled")
        training.step()
        if training.due:
            training.measure()
        training.save_if_due()
    training.keep_best()
    return training.progress


class _Training:
    """What a run holds from step to step."""

    def __init__(
        self, trainee: Trainee, material: Material, config: RecipeConfig, watcher: Watcher
    ) -> None:
        self.processes = PartialState()
        self.trainee, self.material, self.config, self.watcher = trainee, material, config, watcher
        self.parameters = trainee.parameters
        self.optimizer = optimizer_of(self.parameters, config, trainee.device)
        self.steps = steps_of(material.pass_size, config)
        self.every = max(1, self.steps // config.measures)
        self.progress = Progress()
        self.best = _copied(self.parameters)
        mine = material.heldout[self.processes.process_index :: self.processes.num_processes]
        self.heldout = list(self._cut(mine, prompt_weight=0.0))
        self.sums = torch.zeros(2, device=trainee.device)
        self.name = f"{material.identity}/{config}"

    def begin(self) -> None:
        """Go on from a checkpoint of this very run, or measure where it starts."""
        path = self.watcher.checkpoint
        found = path and checkpoints.load(path, self.name, self.parameters, self.optimizer)
        if found:
            self.progress, self.best = found
        elif self.material.heldout:
            self.progress.best = self._mean_heldout()
            self._tell(math.nan, self.progress.best)
        first, processes = self.processes.process_index, self.processes.num_processes
        taken = self.config.step_samples * self.progress.step
        self.samples = self.material.samples(taken + first, processes)
        self.share = len(range(first, self.config.step_samples, processes))
        self.saved = time.monotonic()
        self.started = self.saved - self.progress.seconds

    def step(self) -> None:
        """Learn from one step's samples."""
        began = time.monotonic()
        self.progress.step += 1
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        chosen = [next(self.samples) for _ in range(self.share)]
        weight = torch.zeros(1, device=self.trainee.device)
        for batch in self._cut(chosen, self.config.prompt_weight, self.material.unlearned):
            total, each = self.trainee.losses(batch)
            total.backward()
            weight += batch.weights.sum()
            self.sums += torch.stack([(each * batch.answers).sum(), batch.answers.sum()])
            self.progress.tokens += batch.size
        _average(self.parameters, weight, processes=self.processes.num_processes)
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.computing += time.monotonic() - began
        self.progress.seconds = time.monotonic() - self.started

    @property
    def rate(self) -> float:
        """The learning rate of the step that is made."""
        done = self.progress.step / self.steps
        if self.config.time_budget:
            done = max(done, self.progress.seconds / self.config.time_budget)
        return self.config.learning_rate * schedule(done, 1 / self.steps, self.config)

    @property
    def over(self) -> bool:
        late = 0 < self.config.time_budget < self.progress.seconds
        exhausted = late or self.progress.step >= self.steps
        return exhausted or self.progress.worse >= self.config.patience

    @property
    def due(self) -> bool:
        """Whether the held-out loss is measured after this step."""
        return self.progress.step % self.every == 0 or self.over

    def measure(self) -> None:
        """Tell how it goes, and keep the weights if they are the best so far."""
        now = self._mean_heldout() if self.material.heldout else None
        loss, answers = self.sums.tolist()
        self.sums.zero_()
        self._tell(loss / max(answers, 1.0), now)
        if now is None:
            return
        if now < self.progress.best:
            self.progress.best, self.progress.worse = now, 0
            self.best = _copied(self.parameters)
        else:
            self.progress.worse += 1

    def save_if_due(self) -> None:
        path = self.watcher.checkpoint
        if path is None or time.monotonic() - self.saved < self.config.checkpoint_seconds:
            return
        if self.processes.is_main_process:
            state = Checkpoint(self.progress, self.parameters, self.best, self.optimizer)
            checkpoints.save(path, self.name, state)
        self.saved = time.monotonic()

    def keep_best(self) -> None:
        """Leave the weights with the least held-out loss in the model."""
        if self.material.heldout:
            with torch.no_grad():
                for parameter, value in zip(self.parameters, self.best, strict=True):
                    parameter.copy_(value)

    def _mean_heldout(self) -> float:
        """Over all processes' parts, in nats per token."""
        sums = self.trainee.measured(self.heldout).float().to(self.trainee.device)
        total, count = reduce(sums, "sum").tolist()
        return float(total / max(count, 1.0))

    def _cut(
        self,
        samples: Sequence[Sample],
        prompt_weight: float,
        unlearned: frozenset[int] = frozenset(),
    ) -> Iterator[MicroBatch]:
        """Samples as micro-batches on the device."""
        for batch in micro_batches(
            samples,
            most_tokens=self.config.micro_tokens,
            grain=GRAIN[self.trainee.device.type],
            prompt_weight=prompt_weight,
            unlearned=unlearned,
        ):
            yield batch.to(self.trainee.device)

    def _tell(self, loss: float, heldout: float | None) -> None:
        progress, budget = self.progress, self.config.time_budget
        eta = progress.seconds / max(1, progress.step) * (self.steps - progress.step)
        if budget:
            eta = min(eta, max(0.0, budget - progress.seconds))
        self.watcher.report(
            TrainingEvent(
                step=progress.step,
                steps=self.steps,
                loss=loss,
                learning_rate=self.rate,
                tokens_per_second=progress.tokens / max(progress.computing, 1e-9),
                eta=eta if progress.step else math.nan,
                heldout=heldout,
            )
        )


def losses_at(
    scales: Sequence[float], trainee: Trainee, material: Material, config: RecipeConfig
) -> dict[float, float]:
    """Mean held-out loss of the trained adapter at other strengths, in nats per token.

    Only the first one where nothing is held out, or where it is no LoRA.
    """
    if not material.heldout or not isinstance(trainee.model, PeftModel):
        return {1.0: math.nan}
    cut = micro_batches(
        material.heldout,
        most_tokens=config.micro_tokens,
        grain=GRAIN[trainee.device.type],
        prompt_weight=0.0,
    )
    batches = [batch.to(trainee.device) for batch in cut]
    losses = {}
    for scale in scales:
        with trainee.at(scale):
            total, count = trainee.measured(batches).tolist()
        losses[scale] = total / max(count, 1.0)
    return losses


def steps_of(pass_size: int, config: RecipeConfig) -> int:
    """Optimiser steps that a configuration asks for."""
    steps = max(1, math.ceil(config.passes * pass_size / config.step_samples))
    return min(steps, config.max_steps or steps)


def schedule(done: float, step: float, config: RecipeConfig) -> float:
    """Share of the full learning rate when ``done`` (0 … 1) of a run is; ``step`` is one's share.

    It rises in equal steps, then falls as a cosine.
    """
    rise = max(step, config.warmup)
    if done <= rise:
        return done / rise
    falling = min(1.0, (done - rise) / max(step, 1 - rise))
    return config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * falling)) / 2


def optimizer_of(
    parameters: Sequence[nn.Parameter], config: RecipeConfig, device: torch.device
) -> torch.optim.Optimizer:
    """AdamW; for QLoRA on a GPU with 8-bit states that may be paged out to the host's memory."""
    options = {
        "lr": config.learning_rate,
        "betas": (0.9, 0.99),
        "weight_decay": config.weight_decay,
    }
    if config.method == "qlora" and device.type == "cuda":
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit(parameters, **options)
    return torch.optim.AdamW(parameters, **options, fused=device.type == "cuda")


def _average(parameters: Sequence[nn.Parameter], weight: Tensor, *, processes: int) -> None:
    """Turn sums of gradients into means over the weight of all processes' tokens."""
    gradients = [it.grad for it in parameters if it.grad is not None]
    if processes > 1:
        flat = torch.cat([weight, *(gradient.flatten() for gradient in gradients)])
        parts = reduce(flat, "sum").split([1, *(gradient.numel() for gradient in gradients)])
        weight = parts[0]
        for gradient, part in zip(gradients, parts[1:], strict=True):
            gradient.copy_(part.view_as(gradient))
    torch._foreach_div_(gradients, weight.squeeze().clamp(min=1e-6))


def _copied(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in parameters]
