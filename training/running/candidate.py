"""From a prepared repository to a candidate in its run's folder: load, train, choose, export.

All processes of a team train and choose; the one that leads exports.
"""

from dataclasses import asdict, dataclass

import torch

from lsp_server.errors import NotNowError
from lsp_server.store.adapters.manifest import PEFT

from ..adapter.export import export_lora
from ..base.loading import load_base
from ..holdout.learnt import learnt_lines, save_learnt
from ..recipe.recipe import (
    Material,
    TrainingEvent,
    Watcher,
    general_at,
    heldout_at,
    steps_of,
    train,
)
from ..recipe.trainee import Trainee, with_adapter
from ..recipe.warm import take_over
from .job import Job
from .memory import check_memory
from .scale import BASE_SCALE, STRENGTHS, choose_scale
from .start import LEARNT
from .team import Team


@dataclass(frozen=True, slots=True)
class Trained:
    """What was learnt, and the scale that suits it best."""

    trainee: Trainee
    scale: float


def make_candidate(job: Job, team: Team) -> float:
    """Leave a candidate in the run's folder, with all that an adapter consists of but its verdict;
    returns the scale that suits it best.

    For the process that leads. Raises as :func:`train_candidate` does.
    """
    trained = train_candidate(job)
    team.part()
    _export(job, trained.trainee)
    return trained.scale


def train_candidate(job: Job) -> Trained:
    """Load, train and choose; raises TrainingCancelledError, NotNowError for want of memory."""
    model, machine, start = job.base.model, job.machine, job.start
    job.events.tell({"kind": "start", "from": start.id, "why": start.why})
    job.begin(f"loading {model.name}, to start from {start.id or 'scratch'} ({start.why})")
    check_memory(model.path, machine, job.config.recipe)
    if machine.threads:
        torch.set_num_threads(machine.threads)
    try:
        trainee = _trainee(job)
        return Trained(trainee, _train(job, trainee))
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise NotNowError(
            "there was not enough memory to train in; close what uses it and run `tenon train` "
            "again, or give a smaller recipe.micro_tokens"
        ) from error


def _export(job: Job, trainee: Trainee) -> None:
    job.begin("exporting")
    job.run.candidate.mkdir(parents=True, exist_ok=True)
    trainee.model.save_pretrained(job.run.candidate / PEFT)
    lines = learnt_lines(job.prepared.holdout.training, job.start.inherited)
    save_learnt(job.run.candidate / LEARNT, lines)
    export_lora(trainee.model, job.base.model.path, job.candidate)


def _trainee(job: Job) -> Trainee:
    """The base with an adapter that changes nothing, or with the one that is started from."""
    machine, recipe = job.machine, job.config.recipe
    base = load_base(job.base.model.path, machine.precision, machine.device)
    adapted = with_adapter(base, recipe, steps=steps_of(job.prepared.dataset.pass_size, recipe))
    if job.start.weights is not None:
        take_over(adapted, job.start.weights)
    return Trainee(adapted, compiled=machine.compiled, kept=machine.kept)


def _train(job: Job, trainee: Trainee) -> float:
    """Train, or go on; returns the scale that suits what was learnt."""
    recipe = job.config.recipe
    material = job.prepared.material(job.base.identity, job.start.id or "")

    def report(event: TrainingEvent) -> None:
        job.events.tell({"kind": "step", **asdict(event)})
        job.listener.event(event)

    job.begin("training")
    watcher = Watcher(report, job.cancelled, job.checkpoint, job.clock)
    train(trainee, material, recipe, watcher)
    job.begin("choosing the adapter's scale")
    return _scale(job, trainee, material)


def _scale(job: Job, trainee: Trainee, material: Material) -> float:
    """By validation code and by general code; the gate asks neither."""
    recipe = job.config.recipe
    heldout = heldout_at(trainee, material, recipe)
    if heldout is None:
        return recipe.strength
    general = general_at(trainee, material, recipe) if material.general else None
    if trainee.processes.num_processes == 1:  # of several, one that ended would hang the others
        heldout = job.cancelled.before(heldout)
        general = general and job.cancelled.before(general)
    losses = {scale: heldout(scale) for scale in (BASE_SCALE, *STRENGTHS)}
    choice = choose_scale(losses, general, job.limits.general_rise)
    by_scale = {
        f"{scale:g}": {"heldout": choice.losses.get(scale), "general_rise": choice.rises.get(scale)}
        for scale in sorted({*losses, *choice.rises})
    }
    job.events.tell({"kind": "scale", "scale": choice.scale, "tried": by_scale})
    return choice.scale
