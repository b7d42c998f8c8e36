"""The recipe of the starter base: continued training of a small model to fill in the middle.

Read top to bottom: a run's configuration, the set-up, the loop, what is written. The result is a
LoRA over the dequantised starter, and a new run may go on from an earlier one's.

    tenon train-base training/starter.toml
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
import torch
from gguf import GGUFReader
from torch import Tensor

from lsp_server.errors import CorruptModelError, ModelError, SettingsError
from lsp_server.prompt.formats import FORMATS
from lsp_server.store.catalogue import STARTER, base_of, load_catalogue
from lsp_server.store.download import pull
from lsp_server.store.gguf_header import read_header
from lsp_server.store.integrity import checksum
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

from . import artefact
from .data.packing import Weights
from .data.rows import PackedRows, batches, fixed
from .data.stream import Corpus, Mixture, NotNegative, SampleStream, Share
from .llama import read_llama
from .lowrank import LowRank
from .model import Batch, Model
from .tokenizer import TextTokenizer

FORMAT = "tenon-starter"
REPORT_STEPS, HELDOUT_STEPS, HELDOUT_BATCHES = 20, 500, 4

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
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
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Config)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror or error}); give a TOML such as "
            "training/starter.toml"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}; training/starter.toml shows the fields") from error


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
    base = folder / config.base if config.base else _catalogue_base()
    reader = _opened(base)
    base_sha256 = checksum(base)
    tokenizer = _tokenizer(base, reader)
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
        _rows(config, folder, config.corpus, config.mixture, tokenizer, seed=seed),
        config.rows,
        workers=config.workers,
    )
    heldout = _heldout(config, folder, tokenizer)

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
    return output


def schedule(step: int, config: Config) -> float:
    """Warmup-stable-decay: the share of the full learning rate at a step, counted from 1."""
    rising = step / max(1, config.warmup)
    falling = (config.steps - step + 1) / max(1.0, config.decay * config.steps)
    return min(rising, 1.0, falling)


def _catalogue_base() -> Path:
    """The model that the starter is merged from."""
    entry = base_of(load_catalogue()[STARTER])
    return pull(ModelStore(StorePaths.default()), entry).path


def _opened(base: Path) -> GGUFReader:
    try:
        read_header(base)  # the reader trusts every length that it finds
        return GGUFReader(base)
    except OSError as error:
        raise SettingsError(
            f"the base {base} cannot be read ({error.strerror or error}); give the starter's GGUF, "
            "or leave `base` out of the configuration"
        ) from error
    except ValueError as error:
        raise CorruptModelError(f"{base} is no usable GGUF ({error}); pull it again") from error


def _tokenizer(base: Path, reader: GGUFReader) -> TextTokenizer:
    tokenizer = TextTokenizer.of(reader)
    missing = {artefact.END, *artefact.LEARNED_ROWS} - tokenizer.ids.keys()
    if missing:
        raise ModelError(
            f"{base.name} has no token {', '.join(sorted(missing))}; give the starter model that "
            "the catalogue names"
        )
    return tokenizer


def _sums(losses: Tensor, weight: Tensor, answers: Tensor) -> Tensor:
    """Weighted loss and weight, loss of answers and their number; they stay on the device."""
    return torch.stack(
        [(losses * weight).sum(), weight.sum(), (losses * answers).sum(), answers.sum()]
    )


def _heldout(config: Config, folder: Path, tokenizer: TextTokenizer) -> list[Batch]:
    """Held-out files in the layout that serves, always the same."""
    if not config.heldout:
        return []
    longest = config.mixture.longest
    mixture = Mixture(spm=1, psm=0, bare=0, plain=0, heal=1, longest=longest)
    rows = _rows(config, folder, config.heldout, mixture, tokenizer, seed=0)
    return list(fixed(rows, config.rows, HELDOUT_BATCHES))


def _rows(
    config: Config,
    folder: Path,
    patterns: tuple[str, ...],
    mixture: Mixture,
    tokenizer: TextTokenizer,
    *,
    seed: int,
) -> PackedRows:
    shards = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    if not shards:
        raise SettingsError(
            f"no shard matches {', '.join(patterns)} in {folder}; docs/corpus.md says how the "
            "corpus is made"
        )
    corpus = Corpus.read(shards)
    if not corpus.files:
        raise SettingsError(
            f"the shards that match {', '.join(patterns)} hold no file; docs/corpus.md says how "
            "the corpus is made"
        )
    ids = tokenizer.ids
    stream = SampleStream(corpus, tokenizer, FORMATS[FORMAT], mixture, ids[artefact.END])
    unlearned = [ids[token] for token in artefact.LEARNED_ROWS]
    weights = Weights(prompt=config.prompt_weight)
    return PackedRows(stream, config.length, weights, unlearned, seed=seed)
