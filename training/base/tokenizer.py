"""A GGUF's own tokenizer, rebuilt with the ``tokenizers`` library: the ids that the engine gives.

Control tokens are never recognised in text, as when serving.
"""

from collections.abc import Sequence
from pathlib import Path

from gguf import GGUFReader

from lsp_server.errors import ModelError

from .vocabulary import Vocabulary


class TextTokenizer:
    """Text to token ids and back.

    ``ids`` are those of every token by its text, ``pieces`` the bytes of every token by id, ``bos``
    is what stands before every text of this model, None if nothing does.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.ids = {text: number for number, text in enumerate(vocabulary.tokens)}
        self.pieces = vocabulary.pieces()
        self.bos = vocabulary.bos
        self._tokenizer = vocabulary.tokenizer()

    @classmethod
    def read(cls, path: Path) -> "TextTokenizer":
        """A GGUF's tokenizer; raises ModelError for a kind that is not known."""
        return cls(Vocabulary.read(path))

    @classmethod
    def of(cls, reader: GGUFReader) -> "TextTokenizer":
        """The same, of a GGUF that is opened anyway; opening one takes far longer than reading."""
        return cls(Vocabulary.of({key: entry.contents() for key, entry in reader.fields.items()}))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has on its own."""
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(entry.ids) for entry in encoded]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token ids."""
        return b"".join(self.pieces[number] for number in ids).decode("utf-8", "replace")

    def check_against(self, texts: Sequence[str], served: Sequence[Sequence[int]]) -> None:
        """Raise ModelError if the engine cut one of these texts otherwise: ``served`` are its ids.

        An adapter that is trained on other ids than it is asked with is worth nothing.
        """
        for text, theirs in zip(texts, served, strict=True):
            ours = self.encode(text)
            if ours != list(theirs):
                at = next(
                    (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b),
                    min(len(ours), len(theirs)),
                )
                around = self.decode(ours[max(at - 3, 0) : at + 3])
                raise ModelError(
                    f"training and the engine cut a text differently, near {around!r} (token {at}: "
                    f"{ours[at : at + 3]} and {list(theirs[at : at + 3])}); please report this "
                    "model, and choose another one as the base"
                )
