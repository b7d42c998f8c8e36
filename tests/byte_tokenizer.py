"""A tokenizer for tests of what training lays out: every byte is a token, and so are controls."""

from collections.abc import Sequence

from lsp_server.prompt.formats import FORMATS

CONTROL = (*FORMATS["tenon-starter"].stops, "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


class ByteTokenizer:
    """The bytes are the tokens 0 to 255, the control tokens come behind them."""

    def __init__(self) -> None:
        self.pieces = (*(bytes([byte]) for byte in range(256)), *(b"" for _ in CONTROL))
        self.ids = {token: 256 + number for number, token in enumerate(CONTROL)}

    @property
    def end(self) -> int:
        return self.ids["<|endoftext|>"]

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.encode()) for text in texts]

    def spelled(self, tokens: Sequence[int]) -> str:
        """Tokens as text, control tokens written out."""
        texts = [CONTROL[token - 256].encode() if token > 255 else bytes([token])
                 for token in tokens]  # fmt: skip
        return b"".join(texts).decode()
