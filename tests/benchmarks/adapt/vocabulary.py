"""The base's tokenizer."""

from pathlib import Path
from typing import Any

from gguf import GGUFReader

from training.base.tokenizer import TextTokenizer


def tokenizer_of(base: Path) -> Any:
    return TextTokenizer.of(GGUFReader(base))
