"""What a run of the recipe reads: its base, that base's tokenizer, and rows of its corpora."""

from pathlib import Path

import msgspec
from gguf import GGUFReader

from lsp_server.errors import CorruptModelError, ModelError, SettingsError
from lsp_server.prompt.formats import STARTER as FORMAT
from lsp_server.store.catalogue import STARTER, base_of, load_catalogue
from lsp_server.store.download import pull
from lsp_server.store.gguf_header import read_header
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths

from ..base.tokenizer import TextTokenizer
from ..data.packing import Weights
from ..data.rows import PackedRows, fixed
from ..data.stream import Corpus, Mixture, SampleStream
from . import artefact
from .config import Config
from .model import Batch

HELDOUT_BATCHES = 4


def catalogue_base() -> Path:
    """The model that the starter is merged from."""
    entry = base_of(load_catalogue()[STARTER])
    return pull(ModelStore(StorePaths.default()), entry).path


def opened(base: Path) -> GGUFReader:
    """A base's file; raises SettingsError if it cannot be read, CorruptModelError if damaged."""
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


def tokenizer_of(base: Path, reader: GGUFReader) -> TextTokenizer:
    """A base's tokenizer; raises ModelError if it lacks a control token of the recipe."""
    tokenizer = TextTokenizer.of(reader)
    missing = {artefact.END, *artefact.LEARNED_ROWS} - tokenizer.ids.keys()
    if missing:
        raise ModelError(
            f"{base.name} has no token {', '.join(sorted(missing))}; give the starter model that "
            "the catalogue names"
        )
    return tokenizer


def heldout_batches(config: Config, folder: Path, tokenizer: TextTokenizer) -> list[Batch]:
    """Held-out files in the layout that serves, always the same."""
    if not config.heldout:
        return []
    longest = config.mixture.longest
    mixture = Mixture(spm=1, psm=0, bare=0, plain=0, heal=1, longest=longest)
    rows = packed_rows(config, folder, config.heldout, mixture, tokenizer, seed=0)
    return list(fixed(rows, config.rows, HELDOUT_BATCHES))


def packed_rows(
    config: Config,
    folder: Path,
    patterns: tuple[str, ...],
    mixture: Mixture,
    tokenizer: TextTokenizer,
    *,
    seed: int,
) -> PackedRows:
    """Rows of the shards that match; raises SettingsError if there is nothing in them.

    No sample is longer than a row, whatever the mixture allows.
    """
    try:
        shards = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    except (NotImplementedError, ValueError) as error:
        raise SettingsError(
            f"{', '.join(patterns)}: {error}; patterns are relative to the configuration's folder, "
            'such as "corpus/group1-*.jsonl.xz"'
        ) from error
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
    longest = min(mixture.longest, config.length * 4 // 5)  # a sample may be a quarter longer
    mixture = msgspec.structs.replace(
        mixture, longest=longest, shortest=min(mixture.shortest, longest)
    )
    ids = tokenizer.ids
    stream = SampleStream(corpus, tokenizer, FORMAT, mixture, ids[artefact.END])
    unlearned = [ids[token] for token in artefact.LEARNED_ROWS]
    weights = Weights(prompt=config.prompt_weight)
    return PackedRows(stream, config.length, weights, unlearned, seed=seed)
