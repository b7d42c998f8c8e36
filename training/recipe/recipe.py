"""One adapter: trained on samples of one repository until it stops getting better.

Read top to bottom: what is set up, the loop, what is kept. It knows no repository, no engine and no
store: it is given samples, and leaves in the model the weights whose held-out loss was least.
"""

import math
from collections.abc import Sequence

import torch
from accelerate.utils import reduce
from torch import Tensor, nn

from lsp_server.errors import SettingsError

from . import checkpoints
from .batching import GRAIN
from .checkpoints import Checkpoint, Progress
from .config import RecipeConfig
from .heldout import HeldOut, general_at, heldout_at
from .material import Material, TrainingCancelledError, TrainingEvent, Watcher
from .optimisation import average_gradients, optimizer_of, schedule
from .trainee import Trainee

__all__ = [
    "GRAIN",
    "Material",
    "TrainingCancelledError",
    "TrainingEvent",
    "Watcher",
    "general_at",
    "heldout_at",
    "steps_of",
    "train",
]


def train(trainee: Trainee, material: Material, config: RecipeConfig, watcher: Watcher) -> Progress:
    """Train until steps, time or patience are used up; raises TrainingCancelledError.

    Whoever is cancelled goes on from that step the next time, and who is killed after the last one
    has nothing left to do.

    Under ``accelerate launch`` (on CPUs torch.distributed.run) every process takes its part of each
    step's samples; raises SettingsError if these cannot be shared equally.
    """
    training = _Training(trainee, material, config, watcher)
    training.begin()
    try:
        training.agree()
        while not training.over:
            training.step()
            training.agree()
            if training.due:
                training.measure()
            training.save_if_due()
    except TrainingCancelledError:
        training.save()
        raise
    training.keep_best()
    return training.progress


class _Training:
    """What a run holds from step to step."""

    def __init__(
        self, trainee: Trainee, material: Material, config: RecipeConfig, watcher: Watcher
    ) -> None:
        self.processes = trainee.processes
        count = self.processes.num_processes
        if config.batch % count:
            raise SettingsError(
                f"recipe.step_samples: {count} processes cannot share {config.batch} "
                f"samples equally; give a multiple of {count}"
            )
        self.trainee, self.material, self.config, self.watcher = trainee, material, config, watcher
        self.clock = watcher.clock
        self.parameters = trainee.parameters
        self.optimizer = optimizer_of(self.parameters, config, trainee.device)
        self.steps = steps_of(material.pass_size, config)
        self.progress = Progress()
        self.best = [parameter.detach().clone() for parameter in self.parameters]
        self.heldout = HeldOut(trainee, material.heldout, material.pieces, config)
        self.sums = torch.zeros(2, device=trainee.device)
        self.name = f"{material.identity}/{self.steps}/{config}"

    def begin(self) -> None:
        """Go on from a checkpoint of this very run, or measure where it starts."""
        self.saved = self.clock()
        path = self.watcher.checkpoint
        found = path and checkpoints.load(path, self.name, self.parameters)
        if found:
            self._restore(found)
        elif self.material.heldout:
            self.progress.best = self.heldout.loss(self.config.strength)
            self._tell(math.nan, self.progress.best)
        self.started = self.saved - self.progress.seconds
        processes = self.processes.num_processes
        first = self.config.batch * self.progress.step + self.processes.process_index
        self.samples = self.material.samples(first, processes)
        self.share = self.config.batch // processes
        if found and self._owed:  # it was cancelled before it measured
            self.measure()

    def _restore(self, found: Checkpoint) -> None:
        self.progress = found.progress
        _copy(found.parameters, self.parameters)
        _copy(found.best, self.best)
        self.optimizer.load_state_dict(found.optimizer)
        if self.trainee.ranks:
            self.trainee.ranks.restore(found.ranks)

    def step(self) -> None:
        """Learn from one step's samples."""
        began = self.clock()
        self.progress.step += 1
        # Dropout that a step's number decides is the same when a run goes on.
        place = self.processes.process_index + self.processes.num_processes * self.progress.step
        torch.manual_seed(self.config.seed + place)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate
        chosen = [next(self.samples) for _ in range(self.share)]
        weight = torch.zeros(1, device=self.trainee.device)
        for batch in self.trainee.cut(
            chosen,
            self.config.micro_tokens,
            prompt_weight=self.config.prompt_weight,
            unlearned=self.material.unlearned,
        ):
            total, each = self.trainee.losses(batch, self.config.anchor)
            total.backward()
            weight += batch.weights.sum()
            self.sums += torch.stack([(each * batch.answers).sum(), batch.answers.sum()])
            self.progress.tokens += batch.size
        average_gradients(self.parameters, weight, processes=self.processes.num_processes)
        ranks = self.trainee.ranks
        if ranks:
            ranks.penalty().backward()
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip)
        self.optimizer.step()
        if ranks:
            ranks.allocate(self.done)
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.computing += self.clock() - began

    def agree(self) -> None:
        """Look at the clock, and whether to stop; raises TrainingCancelledError.

        Processes whose answers differ would wait for each other for ever: a mean of the clocks is
        everyone's time, and one that is cancelled stops all.
        """
        said = [float(self.watcher.cancelled()), self.clock() - self.started]
        if self.processes.num_processes > 1:
            said = reduce(torch.tensor(said, device=self.trainee.device), "mean").tolist()
        cancelled, self.progress.seconds = said
        if cancelled:
            raise TrainingCancelledError("training was cancelled")

    @property
    def done(self) -> float:
        """Which part of the run is over, 0 … 1: of its steps or of its time, whichever is more."""
        budget = self.config.time_budget
        spent = self.progress.seconds / budget if budget else 0.0
        return min(1.0, max(self.progress.step / self.steps, spent))

    @property
    def _expected(self) -> int:
        """Steps of the whole run: of a time budget, as many as fit at the speed so far."""
        step = self.progress.step
        return max(step, round(step / self.done)) if step else self.steps

    @property
    def rate(self) -> float:
        """The learning rate of the step that is made."""
        return self.config.rate * schedule(self.done, 1 / self.steps, self.config)

    @property
    def over(self) -> bool:
        late = 0 < self.config.time_budget < self.progress.seconds
        exhausted = late or self.progress.step >= self.steps
        return exhausted or self.progress.worse >= self.config.patience

    @property
    def due(self) -> bool:
        """Whether the held-out loss is measured after this step."""
        return self._owed or self.over

    @property
    def _owed(self) -> bool:
        return self._marks > self.progress.measured

    @property
    def _marks(self) -> int:
        """How often the run should have been measured by now."""
        return int(self.done * self.config.measures + 1e-9)

    def measure(self) -> None:
        """Keep the weights if they are the best so far, save the run, and tell how it goes."""
        self.progress.measured = self._marks
        now = self.heldout.loss(self.config.strength) if self.material.heldout else None
        loss, answers = reduce(self.sums, "sum").tolist()
        self.sums.zero_()
        if now is not None and now < self.progress.best:
            self.progress.best, self.progress.worse = now, 0
            _copy(self.parameters, self.best)
        elif now is not None:
            self.progress.worse += 1
        self.save()
        self._tell(loss / answers if answers else math.nan, now)

    def save_if_due(self) -> None:
        if self.clock() - self.saved >= self.config.checkpoint_seconds:
            self.save()

    def save(self) -> None:
        """Leave what a run of these very samples and settings goes on from."""
        path = self.watcher.checkpoint
        if path is not None and self.processes.is_main_process:
            ranks = self.trainee.ranks.state() if self.trainee.ranks else {}
            now = [it.detach() for it in self.parameters]
            state = Checkpoint(self.progress, now, self.best, self.optimizer.state_dict(), ranks)
            checkpoints.save(path, self.name, state)
        self.saved = self.clock()

    def keep_best(self) -> None:
        """Leave the weights with the least held-out loss in the model."""
        if self.material.heldout:
            _copy(self.best, self.parameters)
        if self.trainee.ranks:
            self.trainee.ranks.release()

    def _tell(self, loss: float, heldout: float | None) -> None:
        """Report how it goes over all processes; the first of them speaks."""
        progress, budget = self.progress, self.config.time_budget
        read = torch.tensor(float(progress.tokens), device=self.trainee.device)
        tokens = float(reduce(read, "sum"))
        if not self.processes.is_main_process:
            return
        eta = progress.seconds / max(1, progress.step) * (self.steps - progress.step)
        if budget:
            eta = min(eta, max(0.0, budget - progress.seconds))
        self.watcher.report(
            TrainingEvent(
                step=progress.step,
                steps=self._expected,
                loss=loss,
                learning_rate=self.rate,
                tokens_per_second=tokens / max(progress.computing, 1e-9),
                eta=eta if progress.step else math.nan,
                heldout=heldout,
            )
        )


def steps_of(pass_size: int, config: RecipeConfig) -> int:
    """Optimiser steps that a configuration asks for."""
    steps = max(1, math.ceil(config.passes * pass_size / config.batch))
    return min(steps, config.max_steps or steps)


@torch.no_grad()
def _copy(source: Sequence[Tensor], target: Sequence[Tensor]) -> None:
    for value, place in zip(source, target, strict=True):
        place.copy_(value)
