"""A GGUF's own tokenizer, rebuilt with the ``tokenizers`` library: the ids that the engine gives.

Byte-level BPE with the pre-tokenizer that llama.cpp calls ``smollm`` (every digit on its own, then
GPT-2's words); the special tokens are never recognised in text, as when serving.
"""

from collections.abc import Sequence

from gguf import GGUFReader
from tokenizers import Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Split
from tokenizers.pre_tokenizers import Sequence as Steps

from lsp_server.errors import ModelError

PRE_TOKENIZER = "smollm"


class TextTokenizer:
    """Text to token ids and back; ``pieces`` are the bytes of every token by id."""

    def __init__(self, tokens: Sequence[str], merges: Sequence[str]) -> None:
        self.ids = {text: number for number, text in enumerate(tokens)}
        pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
        self._tokenizer = Tokenizer(BPE(vocab=self.ids, merges=pairs))
        alphabet = _byte_of_character()
        steps = [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
        unknown = "".join(character for character in alphabet if character not in self.ids)
        if unknown:
            # A few control characters have no token and are dropped; what stands around them is
            # not neighbours for that.
            steps.append(Split(Regex(f"[{unknown}]"), "isolated"))
        self._tokenizer.pre_tokenizer = Steps(steps)
        self._tokenizer.decoder = ByteLevelDecoder()
        self.pieces = tuple(
            bytes(alphabet.get(character, 0) for character in text) for text in tokens
        )

    @classmethod
    def of(cls, reader: GGUFReader) -> "TextTokenizer":
        """The tokenizer of an opened GGUF; raises ModelError for any other kind of vocabulary."""
        kind = reader.get_field("tokenizer.ggml.pre")
        if kind is None or kind.contents() != PRE_TOKENIZER:
            raise ModelError(
                f"the starter's recipe reads vocabularies of the kind {PRE_TOKENIZER!r}, and this "
                "GGUF has another; give the starter model that the catalogue names"
            )
        return cls(_texts(reader, "tokens"), _texts(reader, "merges"))

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


def _texts(reader: GGUFReader, name: str) -> list[str]:
    field = reader.get_field(f"tokenizer.ggml.{name}")
    if field is None:
        raise ModelError(f"the GGUF has no tokenizer.ggml.{name}; pull the starter model again")
    return [bytes(field.parts[index]).decode("utf-8") for index in field.data]


def _byte_of_character() -> dict[str, int]:
    """GPT-2's table: which byte each character of a vocabulary entry stands for."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    return table | {chr(256 + number): byte for number, byte in enumerate(hidden)}
