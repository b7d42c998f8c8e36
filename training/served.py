"""The base that a run trains over: what the user's engine serves, and its file on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from lsp_server.completion.budget import budget_for
from lsp_server.completion.engine import EngineInfo
from lsp_server.engine.client import HttpEngine
from lsp_server.errors import ModelError
from lsp_server.store.adapters.manifest import base_identity
from lsp_server.store.files import RepositoryFile, repository_files
from lsp_server.store.models import InstalledModel, ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.rules import Rules

from .base.tokenizer import TextTokenizer
from .data.terms import Terms

LATENCY_TARGET_MS = 600.0
"""What the server aims at: the budgets that samples and questions are cut to follow from it."""
ENDS = {
    "tenon-starter": "<|endoftext|>",
    "qwen2.5-coder": "<|endoftext|>",
    "starcoder2": "<|endoftext|>",
    "granite-code": "<|endoftext|>",
    "mellum": "<|endoftext|>",
    "deepseek-coder": "<｜end▁of▁sentence｜>",
    "codegemma": "<|file_separator|>",
    "codestral": "</s>",
    "codellama": "▁<EOT>",
    "seed-coder": "<[end▁of▁sentence]>",
}
"""By format: the token behind the middle in what the family was trained on, and so of every sample;
held-out loss and gate count it. All end an answer when serving (``FimFormat.stops``), but another
one would have to be taught first."""
CHECKED_TEXTS, CHECKED_CHARACTERS = 8, 4_000
"""Texts of the repository that the engine's tokenizer and ours are compared on."""
WALKED = 2_000
"""Entries of the repository that are looked at for them."""


@dataclass(frozen=True, slots=True)
class ServedBase:
    """What the engine said of itself, and the model that this is; ``identity`` is what adapters
    over it belong to.
    """

    info: EngineInfo
    model: InstalledModel
    identity: str
    tokenizer: TextTokenizer

    @property
    def terms(self) -> Terms:
        """What prompts for it are made with."""
        fim, tokenizer = self.info.fim, self.tokenizer
        end = ENDS.get(fim.name)
        if end is None or end not in tokenizer.ids:
            raise ModelError(
                f"{self.model.name} was not trained to fill the middle, so there is nothing to "
                "adapt; choose another model with `tenon models use`"
            )
        budget = budget_for(self.info, LATENCY_TARGET_MS)
        return Terms(fim, tokenizer, budget, tokenizer.ids[end])


async def ask_served(engine: HttpEngine, paths: StorePaths, root: Path) -> ServedBase:
    """What serves now; raises ModelError if it cannot be trained over.

    The texts of ``root`` must be the same tokens to the engine as to training.
    """
    info = await engine.ask_info()
    store = ModelStore(paths)
    model = store.find(info.model)
    if model is None or model.sha256 != info.sha256:
        raise ModelError(
            f"the engine serves {info.model}, which is no model of this machine's store; choose "
            "one with `tenon models use`"
        )
    texts = list(_texts(root)) or ["def main() -> None:\n    pass\n"]
    tokenizer = TextTokenizer.read(model.path)
    tokenizer.check_against(texts, await engine.tokenize(texts))
    return ServedBase(info, model, base_identity(store, info.model, info.sha256), tokenizer)


async def check_still_served(engine: HttpEngine, base: ServedBase) -> None:
    """Raises ModelError if somebody switched the engine's model while it was trained over."""
    now = await engine.ask_info()
    if now.sha256 != base.model.sha256:
        raise ModelError(
            f"the engine serves {now.model} by now, and the adapter was trained over "
            f"{base.model.name}; switch back with `tenon models use {base.model.name}` and run "
            "`tenon train` again"
        )


def _texts(root: Path) -> Iterator[str]:
    """Beginnings of some of the repository's files that may be read."""
    entries = islice(repository_files(root, Rules.of(root)), WALKED)
    files = (entry for entry in entries if isinstance(entry, RepositoryFile) and entry.text)
    return (file.text[:CHECKED_CHARACTERS] for file in islice(files, CHECKED_TEXTS))
