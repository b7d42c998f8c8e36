"""The recipe of the starter base: continued training of a small model to fill in the middle.

Read top to bottom: a run's configuration, the set-up, the loop, what is written. The result is a
LoRA over the dequantised starter, and a new run may go on from an earlier one's.

    tenon train-base training/starter/starter.toml
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from lsp_server.errors import SettingsError
from lsp_server.store.integrity import checksum

from ..data.rows import batches
from . import artefact
from .config import Config
from .inputs import catalogue_base, heldout_batches, opened, packed_rows, tokenizer_of
from .llama import read_llama
from .lowrank import LowRank
from .model import Model

REPORT_STEPS, HELDOUT_STEPS = 20, 500


@dataclass(frozen=True, slots=True)
class Report:
    """One line of a run's log.

    ``loss`` is the weighted mean since the last line, ``answer_loss`` that of answers alone and
    ``heldout`` that of held-out answers where it was measured, in nats per token.
    ``tokens_per_second`` counts from the run's first step, compiling included.
    """

    step: int
    tokens: int
    loss: float
    answer_loss: float
    learning_rate: float
    tokens_per_second: float
    heldout: float | None = None


def train(config: Config, folder: Path, report: Callable[[Report], None]) -> Path:
    """Run the recipe; returns where the artefact lies.

    ``folder`` is what the configuration's paths are relative to. Killed at any moment, a run leaves
    its last checkpoint, which ``resume`` goes on from. Raises SettingsError for what the
    configuration names and is not there, ModelError for a base of another kind, CorruptModelError
    for a damaged base or an artefact that does not fit.
    """
    # The worker processes are parallel enough, and threads would not survive their fork.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    torch.set_float32_matmul_precision("high")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    gpu = device.type == "cuda"

    output = folder / config.output
    if not output.parent.is_dir():
        raise SettingsError(f"there is no folder {output.parent} for `output`; make it first")
    base = folder / config.base if config.base else catalogue_base()
    reader = opened(base)
    base_sha256 = checksum(base)
    tokenizer = tokenizer_of(base, reader)
    sizes, weights = read_llama(base, reader)
    adapter = LowRank(
        weights,
        [tokenizer.ids[token] for token in artefact.LEARNED_ROWS],
        attention_rank=config.attention_rank,
        feed_forward_rank=config.feed_forward_rank,
        seed=config.seed,
    )
    behind = artefact.Progress()
    if config.resume:
        behind = artefact.load(folder / config.resume, adapter, base_sha256)
    seed = config.seed + behind.steps  # a run that goes on reads in another order
    training = batches(
        packed_rows(config, folder, config.corpus, config.mixture, tokenizer, seed=seed),
        config.rows,
        workers=config.workers,
    )
    heldout = heldout_batches(config, folder, tokenizer)

    model = Model(
        sizes,
        weights.to(device),
        adapter.to(device),
        dtype=torch.bfloat16 if gpu else torch.float32,
        compiled=config.compile,
    )
    optimizer = torch.optim.AdamW(
        adapter.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=0.0,
        fused=gpu,
    )
    sums = torch.zeros(4, device=device)
    started = saved = time.monotonic()
    step = 0
    for step, batch in enumerate(islice(training, config.steps), 1):
        rate = config.learning_rate * schedule(step, config)
        for group in optimizer.param_groups:
            group["lr"] = rate
        model.rounded = step > (1 - config.rounded) * config.steps
        losses = model.losses(batch)
        weight = batch["weights"].to(device)
        ((losses * weight).sum() / weight.sum()).backward()
        torch.nn.utils.clip_grad_norm_(adapter.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        sums += _sums(losses.detach(), weight, batch["answers"].to(device))

        last = step == config.steps
        if last or step % REPORT_STEPS == 0 or step == 1:
            measure = heldout and (last or step % HELDOUT_STEPS == 0)
            loss, counted, answer_loss, answers = sums.tolist()
            tokens = step * config.tokens_per_step
            report(
                Report(
                    step=step,
                    tokens=tokens,
                    loss=loss / max(counted, 1e-9),
                    answer_loss=answer_loss / max(answers, 1.0),
                    learning_rate=rate,
                    tokens_per_second=tokens / (time.monotonic() - started),
                    heldout=model.answer_loss(heldout) if measure else None,
                )
            )
            sums.zero_()
        if last or time.monotonic() - saved > config.checkpoint_seconds:
            progress = artefact.Progress(
                behind.steps + step, behind.tokens + step * config.tokens_per_step
            )
            artefact.save(output, adapter, progress, ids=tokenizer.ids, base_sha256=base_sha256)
            saved = time.monotonic()
    if step < config.steps:
        raise SettingsError(
            f"the corpus gave out after {step} of {config.steps} steps: no file of it is Python "
            "that fits into a row; docs/corpus.md says how the corpus is made"
        )
    return output


def schedule(step: int, config: Config) -> float:
    """Warmup-stable-decay: the share of the full learning rate at a step, counted from 1."""
    rising = step / max(1, config.warmup)
    falling = (config.steps - step + 1) / max(1.0, config.decay * config.steps)
    return min(rising, 1.0, falling)


def _sums(losses: Tensor, weight: Tensor, answers: Tensor) -> Tensor:
    """Weighted loss and weight, loss of answers and their number; they stay on the device."""
    return torch.stack(
        [(losses * weight).sum(), weight.sum(), (losses * answers).sum(), answers.sum()]
    )
