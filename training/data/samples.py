"""From (file, middle) to the tokens that a model trains on, through the code that serves.

The prompt is what :func:`lsp_server.prompt.assemble.assemble` lays out at a keystroke, with the
tokens of an unfinished word moved behind it as token healing does; the answer is the middle and the
token that ends it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lsp_server.prompt.assemble import Source, assemble
from lsp_server.prompt.formats import FimFormat, Part, Special, Text
from lsp_server.prompt.healing import MAX_TOKENS, tokens_to_take_back
from lsp_server.prompt.window import Budget


class Tokenizer(Protocol):
    """What is needed of a tokenizer: ids, counts, and the bytes of every token."""

    @property
    def ids(self) -> Mapping[str, int]: ...

    @property
    def pieces(self) -> Sequence[bytes]: ...

    def encode(self, text: str) -> list[int]: ...

    def count(self, texts: Sequence[str]) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Sample:
    """``tokens`` of a prompt and its answer; the answer begins at index ``answer``.

    ``owed`` is the text that healing took back: the answer begins with it.
    """

    tokens: tuple[int, ...]
    answer: int
    owed: bytes = b""


def fim_sample(
    source: Source,
    middle: str,
    fim: FimFormat,
    budget: Budget,
    tokenizer: Tokenizer,
    *,
    end: int,
    heal: bool,
) -> Sample:
    """The prompt around a cursor and what belongs there.

    ``source`` is the file without the middle, ``end`` the token that ends an answer. ``heal`` moves
    the tokens of the unfinished word behind the prompt, as Tenon's engine does; other engines do
    not.
    """
    prompt = assemble(source, fim, budget, tokenizer.count)
    parts = [
        [tokenizer.ids[entry.token]] if isinstance(entry, Special) else tokenizer.encode(entry.text)
        for entry in prompt.segments
    ]
    taken = ""
    # A family that heals ends in the prefix, or in the prefix and one middle token behind it.
    at = len(parts) - 1 if fim.layout[-1] is Part.PREFIX else len(parts) - 2
    if heal and fim.heals and at >= 0 and isinstance(prompt.segments[at], Text):
        parts[at], taken = _healed(parts[at], tokenizer)
    head = [token for part in parts for token in part]
    answer = tokenizer.encode(taken + middle)
    return Sample((*head, *answer, end), len(head), taken.encode())


def _healed(tokens: list[int], tokenizer: Tokenizer) -> tuple[list[int], str]:
    """What is kept of a prompt's last text, and the text that the answer must begin with."""
    tail = [tokenizer.pieces[token] for token in tokens[-MAX_TOKENS:]]
    count = tokens_to_take_back(tail)
    if not count:
        return tokens, ""
    return tokens[:-count], b"".join(tail[-count:]).decode("utf-8")
