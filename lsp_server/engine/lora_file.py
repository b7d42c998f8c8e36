"""A stranger's LoRA file on its way to llama.cpp: checked, and read through."""

from pathlib import Path

from ..errors import CorruptModelError, EngineRequestError
from ..store.gguf_header import read_header
from ..store.lora_rules import trouble_with


def check(path: Path, architecture: str, base: Path) -> int:
    """The bytes that a LoRA will take in memory over ``base``, a model of that ``architecture``.

    The whole file is read, so that it then comes from the page cache. Raises ``EngineRequestError``
    with what is wrong with it.
    """
    try:
        header = read_header(path, holds="adapter")
        with path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass
    except CorruptModelError as error:
        raise refusal(f"The adapter cannot be loaded: {error}") from error
    except OSError as error:
        raise refusal(f"The adapter cannot be loaded: {path} cannot be read ({error}).") from error
    trouble = trouble_with(header, architecture, lambda: read_header(base).tensors)
    if trouble:
        raise refusal(f"The adapter {path.name} cannot be loaded: {trouble}.")
    return sum(info.size for info in header.tensors.values())


def refusal(message: str) -> EngineRequestError:
    """What a client is told of a file that cannot be an adapter here."""
    return EngineRequestError(message, status=422, param="lora_path")
