"""Tenon's own prompt, as token ids, for ``/completion`` of llama.cpp's server.

What differs from Tenon is then the engine and the client, and nothing that the model reads. Healing
needs a constrained choice of tokens, which the route does not offer: the unfinished word is moved
behind the middle token as Tenon moves it, but its own tokens stay as they are.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cachetools import LRUCache

from lsp_server.completion.budget import budget_for
from lsp_server.completion.engine import EngineInfo
from lsp_server.completion.query import ProviderOptions
from lsp_server.engine.llama import Backend, Model
from lsp_server.prompt.assemble import Source, assemble
from lsp_server.prompt.formats import FimFormat, Segment, Special
from lsp_server.prompt.healing import tokens_to_take_back
from lsp_server.prompt.snippets import snippets_for
from lsp_server.prompt.window import window
from lsp_server.store.index import RepositoryIndex
from lsp_server.store.layered import LayeredIndex

from .infill_text import Window
from .suggester import Document

CONTEXT = 4096
"""Tokens, as of Tenon's engine."""


class OwnPrompt:
    """Composes requests; the server's speeds (tokens per second) decide budgets as Tenon's do."""

    def __init__(
        self, gguf: Path, fim: FimFormat, root: Path, index: Path, *, prefill: float, decode: float
    ) -> None:
        self._model = Model.load(Backend(logging.getLogger("llama")), gguf)
        self._vocabulary = self._model.vocabulary
        self._fim = fim
        self._root = root
        self._texts: dict[str, str] = {}
        self._index = LayeredIndex(root, RepositoryIndex.reading(index), lambda: self._texts)
        info = EngineInfo("peer", fim, CONTEXT, prefill, decode)
        self._budget = budget_for(info, ProviderOptions().latency_target_ms)
        self._counts: LRUCache[str, int] = LRUCache(65_536)

    async def compose(
        self, window: Window, document: Document, cursor: int
    ) -> tuple[str, dict[str, Any]]:
        """The route and the ids; the client's own ``window`` only keys its cache."""
        return "/completion", {"prompt": await asyncio.to_thread(self._ids, document, cursor)}

    def _ids(self, document: Document, cursor: int) -> list[int]:
        before, after = document.text[:cursor], document.text[cursor:]
        shown = window(before, after, self._budget, self._count)
        source = Source(before, after, document.path, self._root.name)
        self._texts[document.path] = document.text
        self._index.version(document.path)  # what was typed in other files
        found = snippets_for(source, self._index, self._budget.snippets, self._count, shown=shown)
        source = Source(before, after, document.path, self._root.name, found)
        prompt = assemble(source, self._fim, self._budget, self._count)
        return self._healed(prompt.segments)

    def _healed(self, segments: Sequence[Segment]) -> list[int]:
        ids: list[int] = []
        start = end = 0
        for segment in segments:
            if isinstance(segment, Special):
                ids.append(self._vocabulary.texts[segment.token])
                continue
            start = len(ids)
            ids += self._vocabulary.tokenize(segment.text)
            end = len(ids)
        if self._fim.heals_before_middle and end == len(ids) - 1:
            pieces = [self._vocabulary.pieces[token] for token in ids[start:end]]
            kept = end - tokens_to_take_back(pieces)
            ids = [*ids[:kept], *ids[end:], *ids[kept:end]]
        return ids

    def _count(self, texts: Sequence[str]) -> list[int]:
        for text in texts:
            if text not in self._counts:
                self._counts[text] = len(self._vocabulary.tokenize(text))
        return [self._counts[text] for text in texts]

    def close(self) -> None:
        """Free the vocabulary and the index."""
        self._index.close()
        self._model.close()
