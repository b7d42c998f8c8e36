"""What a GGUF file says about itself, and whether its tensors all fit into the file.

The ``gguf`` package's reader makes an array of every token and needs ten seconds for a vocabulary
of 150,000; this one needs a tenth of a second and trusts no length that the file claims.
Source: the GGUF specification of ggml (versions 2 and 3, little-endian).
"""

import math
import struct
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from ..errors import CorruptModelError

MAGIC = b"GGUF"
TOKENS = "tokenizer.ggml.tokens"
BASE_ID, FIM_FORMAT = "tenon.base_id", "tenon.fim_format"
"""What a model that Tenon merged says of itself: what it was made of, and how it is asked."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q",
            12: "d"}  # fmt: skip
_STRING, _ARRAY = 8, 9
# Far above any real file; a damaged length must not keep us busy for minutes.
_MOST_ENTRIES, _MOST_TENSORS, _MOST_ITEMS, _LONGEST = 1 << 16, 1 << 20, 1 << 24, 1 << 26

Scalar = str | int | float | bool
Items = tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Where a tensor lies: ``shape`` in numpy's order, ``kind`` ggml's number of its type.

    ``offset`` is in bytes from the start of the file, ``size`` its bytes (0: an unknown type).
    """

    shape: tuple[int, ...]
    kind: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """``metadata`` holds the scalars by key; ``vocabulary`` the token texts in id order.

    ``parameters`` counts the elements of all ``tensors``, which are by name. ``arrays`` holds those
    that were asked for, and ``kinds`` the GGUF's number of every value's type.
    """

    metadata: dict[str, Scalar]
    vocabulary: tuple[str, ...]
    parameters: int
    tensors: Mapping[str, TensorInfo] = field(default_factory=dict)
    arrays: Mapping[str, Items] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)

    @property
    def architecture(self) -> str:
        return str(self.metadata["general.architecture"])

    @property
    def name(self) -> str:
        return str(self.metadata.get("general.name", ""))

    @property
    def license(self) -> str | None:
        """As the file's author wrote it; the hub's lower-case tags are common."""
        value = self.metadata.get("general.license")
        return str(value) if value else None

    @property
    def context(self) -> int | None:
        """Tokens that the model was trained to attend to."""
        value = self.metadata.get(f"{self.architecture}.context_length")
        return int(value) if isinstance(value, int) else None


def read_header(path: Path, *, arrays: Collection[str] = (), holds: str = "model") -> GgufHeader:
    """Read a header and check it against the size of the file.

    ``arrays`` are keys of lists in the metadata that are to be kept, ``holds`` is the GGUF's
    ``general.type``. Raises CorruptModelError: no GGUF, damaged, truncated, one part of several, or
    of another type.
    Raises ``OSError`` if the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            header = _Reader(file, path.stat().st_size).header({TOKENS, *arrays}, holds)
        except _DamagedError as error:
            raise CorruptModelError(
                f"{path} is no usable GGUF: {error}. Download it again, or give another file."
            ) from error
    return header


class _DamagedError(Exception):
    """What is wrong with the file, as half a sentence."""


class _Reader:
    """One pass over a header; ``offset`` follows the file, in bytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.size = size
        self.offset = 0

    def header(self, wanted: Collection[str], holds: str) -> GgufHeader:
        if self.take(4) != MAGIC:
            raise _DamagedError("it does not start with the letters GGUF")
        version = self.number("I")
        if version not in {2, 3}:
            raise _DamagedError(f"its version is {version}, this reads 2 and 3 (little-endian)")
        tensors = self.count("tensors", _MOST_TENSORS)
        entries = self.count("metadata entries", _MOST_ENTRIES)
        metadata: dict[str, Scalar] = {}
        arrays: dict[str, Items] = {}
        kinds: dict[str, int] = {}
        for _ in range(entries):
            key, kind = self.text(), self.number("I")
            kinds[key] = kind
            if kind != _ARRAY:
                metadata[key] = self.scalar(kind)
                continue
            items = self.array(keep=key in wanted)
            if key in wanted:
                arrays[key] = items
        self.check_kind(metadata, holds)
        parameters, found = self.tensors(tensors, metadata.get("general.alignment", 32))
        vocabulary = tuple(map(str, arrays.get(TOKENS, ())))
        return GgufHeader(metadata, vocabulary, parameters, found, arrays, kinds)

    @staticmethod
    def check_kind(metadata: dict[str, Scalar], holds: str) -> None:
        if "general.architecture" not in metadata:
            raise _DamagedError("it names no architecture")
        kind = metadata.get("general.type", "model")
        if kind != holds:
            raise _DamagedError(f"it holds no {holds} but: {kind}")
        parts = metadata.get("split.count", 1)
        if isinstance(parts, int) and parts > 1:
            raise _DamagedError(
                f"it is one of {parts} parts; join them with `llama-gguf-split --merge`"
            )

    def tensors(self, count: int, alignment: Scalar) -> tuple[int, dict[str, TensorInfo]]:
        """Elements of ``count`` tensors, and where each lies, which is inside the file."""
        if not isinstance(alignment, int) or alignment <= 0:
            raise _DamagedError("its alignment is no positive number")
        elements_of_all = 0
        found: dict[str, TensorInfo] = {}
        byte_size = _byte_size()
        for _ in range(count):
            name = self.text()
            dimensions = self.number("I")
            if dimensions > 8:
                raise _DamagedError(f"a tensor has {dimensions} dimensions")
            shape = struct.unpack(f"<{dimensions}Q", self.take(8 * dimensions))[::-1]
            elements = math.prod(shape)
            kind = self.number("I")
            found[name] = TensorInfo(shape, kind, self.number("Q"), byte_size(kind, elements))
            elements_of_all += elements
        data = -(-self.offset // alignment) * alignment
        found = {name: replace(info, offset=data + info.offset) for name, info in found.items()}
        needed = max((info.offset + info.size for info in found.values()), default=data)
        if needed > self.size:
            raise _DamagedError(f"it is truncated, {self.size:,} bytes of at least {needed:,}")
        return elements_of_all, found

    def take(self, count: int) -> bytes:
        data = self.file.read(count) if self.offset + count <= self.size else b""
        if len(data) != count:
            raise _DamagedError(f"it ends inside its header, after {self.size:,} bytes")
        self.offset += count
        return data

    def skip(self, count: int) -> None:
        self.offset += count
        if self.offset > self.size:
            raise _DamagedError(f"it ends inside its header, after {self.size:,} bytes")
        self.file.seek(self.offset)

    def number(self, code: str) -> int:
        return int(struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0])

    def count(self, what: str, most: int) -> int:
        value = self.number("Q")
        if value > most:
            raise _DamagedError(f"it claims {value:,} {what}")
        return value

    def text(self) -> str:
        length = self.count("bytes in one string", _LONGEST)
        return self.take(length).decode("utf-8", errors="replace")

    def scalar(self, kind: int) -> Scalar:
        if kind == _STRING:
            return self.text()
        code = self.code(kind)
        value: Scalar = struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]
        return value

    @staticmethod
    def code(kind: int) -> str:
        if kind not in _SCALARS:
            raise _DamagedError(f"it has a value of the unknown type {kind}")
        return _SCALARS[kind]

    def array(self, *, keep: bool) -> Items:
        """The items of an array if ``keep``; otherwise it is passed over."""
        kind = self.number("I")
        length = self.count("items in one array", _MOST_ITEMS)
        if kind == _STRING:
            texts = tuple(self.text() for _ in range(length))
            return texts if keep else ()
        size = length * struct.calcsize(f"<{self.code(kind)}")
        if keep:
            return struct.unpack(f"<{length}{self.code(kind)}", self.take(size))
        self.skip(size)
        return ()


def _byte_size() -> Callable[[int, int], int]:
    """(ggml type, elements) -> bytes; 0 for a type that is newer than the ``gguf`` package."""
    from gguf.constants import GGML_QUANT_SIZES  # noqa: PLC0415 - numpy, a tenth of a second

    sizes = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}

    def byte_size(kind: int, elements: int) -> int:
        block, width = sizes.get(kind, (1, 0))
        return -(-elements // block) * width

    return byte_size
