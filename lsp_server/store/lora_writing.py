"""A LoRA as the GGUF that llama.cpp loads beside its base: whole on the disk, or not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gguf import GGUFWriter

from ..errors import CorruptModelError
from .gguf_header import read_header
from .paths import replacing


@contextmanager
def lora_writer(path: Path, architecture: str) -> Iterator[GGUFWriter]:
    """What takes a LoRA's metadata and tensors, and writes them once the block ends well.

    The scale belongs into B: the file has none of its own. A reader of ``path`` finds the old file
    or the new one. Raises ``OSError``, also where a full disk has taken less than it was given.
    """
    with replacing(path) as temporary:
        with closing(GGUFWriter(temporary, architecture)) as writer:
            writer.add_type("adapter")
            writer.add_string("adapter.type", "lora")
            writer.add_float32("adapter.lora.alpha", 0.0)  # llama.cpp: no scale beyond what B holds
            yield writer
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        try:
            read_header(temporary, holds="adapter")
        except CorruptModelError:  # numpy writes less onto a full disk, and does not say
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from None
