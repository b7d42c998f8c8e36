"""What a GGUF says of its tokens, and the ``tokenizers`` model that cuts text as llama.cpp does.

Two kinds are known: byte-level BPE (``gpt2``), whose words are found by one of the pre-tokenizers
of llama.cpp's ``llama-vocab.cpp``, and SentencePiece's BPE (``llama``), which merges by score.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gguf import TokenType
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.normalizers import Prepend, Replace
from tokenizers.normalizers import Sequence as Changes
from tokenizers.pre_tokenizers import ByteLevel, Split
from tokenizers.pre_tokenizers import Sequence as Steps

from lsp_server.errors import ModelError
from lsp_server.store.gguf_header import read_header

_PREFIX = "tokenizer.ggml."
_SPM_BOS, _BPE_BOS = 1, 11
"""The token before a text where a file does not say which: llama.cpp's defaults."""

_LISTS = ("tokens", "token_type", "merges", "scores")

SPACE = "\u2581"
"""How SentencePiece writes a space."""

_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_SHORT = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))*((?=[\p{L}])([^A-Z]))+"
    r"|[^\r\n\p{L}\p{N}]?((?=[\p{L}])([^a-z]))+((?=[\p{L}])([^A-Z]))*"
    rf"|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_BLANKS}"
)
_GPT_2 = (_WORDS,)
_DIGITS_ALONE = (r"\p{N}", _WORDS)
_LLAMA_3 = (rf"{_SHORT}|{_LETTERS}|\p{{N}}{{1,3}}|{_SIGNS}|{_BLANKS}",)
_QWEN_2 = (rf"{_SHORT}|{_LETTERS}|\p{{N}}|{_SIGNS}|{_BLANKS}",)

PRE_TOKENIZERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell"), _DIGITS_ALONE),
    **dict.fromkeys(("gpt-2", "mellum", "mpt", "olmo"), _GPT_2),
    **dict.fromkeys(("llama3", "llama-v3", "llama-bpe"), _LLAMA_3),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2"), _QWEN_2),
    "deepseek-coder": (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
    "seed-coder": (rf"{_SHORT}|{_LETTERS}|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_BLANKS}",),
    "tekken": (_TEKKEN,),
}
"""By llama.cpp's names: each expression is searched for in what those before it left whole."""

_WHOLE_WORDS = frozenset({"llama3", "llama-v3", "llama-bpe", "tekken"})
"""Where a word that is a token is that token, whatever the merges would make of it; in the same
vocabularies a text begins with a token of its own, unless the file says otherwise.
"""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens by id, with their kinds; ``merges`` of BPE, ``scores`` of SentencePiece.

    ``pre`` is llama.cpp's name of the pre-tokenizer, empty for SentencePiece. ``bos`` stands before
    every text, None if nothing does.
    """

    tokens: Sequence[str]
    kinds: Sequence[int]
    pre: str = ""
    merges: Sequence[str] = ()
    scores: Sequence[float] = ()
    space_first: bool = False
    bos: int | None = None

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """A GGUF's; raises ModelError for a kind that is not known, or that lacks something."""
        header = read_header(path, arrays=[f"{_PREFIX}{name}" for name in _LISTS])
        return cls.of(dict(header.metadata) | dict(header.arrays))

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Vocabulary":
        """The same, of a GGUF's whole metadata."""

        def value(name: str) -> Any:
            return metadata.get(f"{_PREFIX}{name}")

        def items(name: str) -> Sequence[Any]:
            found = value(name)
            if found is None:
                raise ModelError(f"this GGUF has no {_PREFIX}{name}; pull the model again")
            return tuple(found)

        kind, pre, tokens = value("model"), value("pre") or "", items("tokens")
        kinds = value("token_type") or [TokenType.NORMAL] * len(tokens)
        if kind == "llama":
            space = value("add_space_prefix") in {None, True}
            scores = items("scores")
            found = cls(tokens, kinds, scores=scores, space_first=space, bos=_SPM_BOS)
        elif kind == "gpt2" and pre in PRE_TOKENIZERS:
            starts = _BPE_BOS if pre in _WHOLE_WORDS else None
            found = cls(tokens, kinds, pre, merges=items("merges"), bos=starts)
        else:
            raise ModelError(
                f"this GGUF's vocabulary is of the kind {kind!r} with the pre-tokenizer {pre!r}, "
                f"which training does not know; it knows 'llama', and 'gpt2' with one of "
                f"{', '.join(sorted(PRE_TOKENIZERS))}: choose another model as the base"
            )
        starts_itself = value("add_bos_token")
        if starts_itself is False or (starts_itself is None and found.bos is None):
            return replace(found, bos=None)
        bos = value("bos_token_id")
        return replace(found, bos=(found.bos or _BPE_BOS) if bos is None else int(bos))

    def pieces(self) -> tuple[bytes, ...]:
        """The bytes of every token by id; of control tokens, which are never in text, anything."""
        alphabet = byte_of_character()

        def piece(text: str, kind: int) -> bytes:
            if kind == TokenType.USER_DEFINED:
                return text.encode()
            if self.pre:
                return bytes(alphabet.get(character, 0) for character in text)
            if kind == TokenType.BYTE:
                return bytes([int(text[3:5], 16)])
            return text.replace(SPACE, " ").encode()

        return tuple(map(piece, self.tokens, self.kinds))

    def tokenizer(self) -> Tokenizer:
        """What cuts text as llama.cpp does."""
        made = self._byte_level() if self.pre else self._sentence_piece()
        # llama.cpp looks for these in any text; control tokens only where it is told to.
        made.add_tokens(
            [
                AddedToken(text, normalized=False, special=False)
                for text, kind in zip(self.tokens, self.kinds, strict=True)
                if kind == TokenType.USER_DEFINED
            ]
        )
        return made

    def _byte_level(self) -> Tokenizer:
        ids = {text: number for number, text in enumerate(self.tokens)}
        cut = (merge.partition(" ") for merge in self.merges)
        pairs = [(left, right) for left, _, right in cut]
        whole = self.pre in _WHOLE_WORDS
        made = Tokenizer(BPE(vocab=ids, merges=pairs, ignore_merges=whole))
        steps: list[Any] = [Split(Regex(words), "isolated") for words in PRE_TOKENIZERS[self.pre]]
        steps.append(ByteLevel(add_prefix_space=False, use_regex=False))
        unknown = "".join(character for character in byte_of_character() if character not in ids)
        if unknown:
            # A few control characters have no token and are dropped; what stands around them is
            # not neighbours for that.
            steps.append(Split(Regex(f"[{unknown}]"), "isolated"))
        made.pre_tokenizer = Steps(steps)
        return made

    def _sentence_piece(self) -> Tokenizer:
        ids = {text: number for number, text in enumerate(self.tokens)}
        unknown = next(
            (
                text
                for text, kind in zip(self.tokens, self.kinds, strict=True)
                if kind == TokenType.UNKNOWN
            ),
            None,
        )
        merges = merges_by_score(ids, self.scores)
        made = Tokenizer(BPE(vocab=ids, merges=merges, unk_token=unknown, byte_fallback=True))
        spaces = Replace(" ", SPACE)
        made.normalizer = Changes([Prepend(SPACE), spaces]) if self.space_first else spaces
        return made


def merges_by_score(ids: Mapping[str, int], scores: Sequence[float]) -> list[tuple[str, str]]:
    """SentencePiece's merges: any two tokens that make a third, the third of best score first."""

    def pairs(text: str) -> Iterator[tuple[str, str]]:
        for cut in range(1, len(text)):
            if text[:cut] in ids and text[cut:] in ids:
                yield text[:cut], text[cut:]

    best_first = sorted(ids, key=lambda text: -scores[ids[text]])
    return [pair for text in best_first for pair in pairs(text)]


def byte_of_character() -> dict[str, int]:
    """GPT-2's table: which byte each character of a vocabulary entry stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + number): byte for number, byte in enumerate(hidden)}
