"""From a prepared repository to a candidate in its run's folder: load, train, choose, export."""

from dataclasses import asdict

import torch

from lsp_server.errors import NotNowError
from lsp_server.store.adapters.manifest import PEFT

from ..adapter.export import export_lora
from ..base.loading import load_base
from ..holdout.learnt import learnt_lines, save_learnt
from ..recipe.recipe import (
    Material,
    Remembered,
    TrainingEvent,
    Watcher,
    losses_at,
    steps_of,
    train,
)
from ..recipe.trainee import Trainee, with_adapter
from ..recipe.warm import take_over
from .job import Job
from .memory import check_memory
from .resuming import checkpoint_of
from .scale import WEAKER, choose_scale
from .start import LEARNT


def make_candidate(job: Job) -> float:
    """Leave a candidate in the run's folder; returns the scale that suits it best.

    Raises TrainingCancelledError, NotNowError if there is too little memory.
    """
    model, machine, start = job.base.model, job.machine, job.start
    job.events.tell({"kind": "start", "from": start.id, "why": start.why})
    job.begin(f"loading {model.name}, to start from {start.id or 'scratch'} ({start.why})")
    check_memory(model.path, machine, job.config.recipe)
    if machine.threads:
        torch.set_num_threads(machine.threads)
    try:
        trainee = _trainee(job)
        scale = _train(job, trainee)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise NotNowError(
            "there was not enough memory to train in; close what uses it and run `tenon train` "
            "again, or give a smaller recipe.micro_tokens"
        ) from error
    job.begin("exporting")
    job.run.candidate.mkdir(parents=True, exist_ok=True)
    trainee.model.save_pretrained(job.run.candidate / PEFT)
    lines = learnt_lines(job.prepared.holdout.training, start.inherited)
    save_learnt(job.run.candidate / LEARNT, lines)
    export_lora(trainee.model, model.path, job.candidate)
    return scale


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
    checkpoint = checkpoint_of(job.run, job.runs)
    done = train(trainee, material, recipe, Watcher(report, job.cancelled, checkpoint, job.clock))
    job.begin("choosing the adapter's scale")
    return _scale(job, trainee, material, done.best)


def _scale(job: Job, trainee: Trainee, material: Material, full: float) -> float:
    """By validation code, which has the loss ``full`` at full strength, and by general code; the
    gate asks neither.
    """
    recipe = job.config.recipe
    losses = {1.0: full} | losses_at(WEAKER, trainee, material, recipe)
    general = Remembered(trainee, material, recipe).loss_at if material.general else None
    choice = choose_scale(losses, general, job.limits.general_rise)
    by_scale = {
        f"{scale:g}": {"heldout": losses.get(scale), "general_rise": choice.rises.get(scale)}
        for scale in sorted({*losses, *choice.rises})
    }
    job.events.tell({"kind": "scale", "scale": choice.scale, "tried": by_scale})
    return choice.scale
