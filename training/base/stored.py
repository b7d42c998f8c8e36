"""The weights of a GGUF as they lie in it, unpacked a few rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import dequantize
from numpy.typing import NDArray

from lsp_server.errors import CorruptModelError, ModelError
from lsp_server.store.gguf_header import GgufHeader, TensorInfo

_AT_ONCE = 1 << 23
"""Elements that are unpacked at a time: numpy needs several copies of them."""


class StoredTensors:
    """A GGUF's tensors by name; the file is mapped, not read.

    The ``gguf`` package's reader makes objects of every token first, which takes 12 s and hundreds
    of megabytes for a vocabulary of 150,000.
    """

    def __init__(self, path: Path, header: GgufHeader) -> None:
        self._infos = header.tensors
        self._bytes: NDArray[np.uint8] = np.memmap(path, np.uint8, mode="r")

    def names(self) -> set[str]:
        return set(self._infos)

    def shape(self, name: str) -> tuple[int, ...]:
        """In numpy's order; raises CorruptModelError if there is no such tensor."""
        return self._info(name).shape

    def whole(self, name: str) -> NDArray[np.float32]:
        """All values of one tensor; raises as :meth:`pieces` does."""
        return np.concatenate([piece for _, piece in self.pieces(name)])

    def pieces(self, name: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """(first row, values of some rows), all rows in their order; of a vector, all at once.

        Raises CorruptModelError if there is no such tensor, ModelError for a ggml type that cannot
        be unpacked.
        """
        info = self._info(name)
        rows = 1 if len(info.shape) == 1 else info.shape[0]
        packed = self._bytes[info.offset : info.offset + info.size].reshape(rows, -1)
        step = max(1, _AT_ONCE // info.shape[-1])
        for start in range(0, rows, step):
            values = self._unpacked(name, packed[start : start + step], info.kind)
            yield start, values[0] if len(info.shape) == 1 else values

    def _info(self, name: str) -> TensorInfo:
        try:
            return self._infos[name]
        except KeyError:
            raise CorruptModelError(f"this GGUF has no {name}; pull the model again") from None

    @staticmethod
    def _unpacked(name: str, packed: NDArray[np.uint8], kind: int) -> NDArray[np.float32]:
        try:
            values: NDArray[np.float32] = dequantize(packed, GGMLQuantizationType(kind))
        except (NotImplementedError, ValueError) as error:
            raise ModelError(
                f"{name} is of a ggml type ({kind}) that cannot be unpacked here; take the same "
                "model's Q4_K_M or Q8_0 file"
            ) from error
        return values if values.flags.writeable else values.copy()  # torch takes no mapped file
