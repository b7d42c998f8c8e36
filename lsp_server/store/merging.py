"""W + B·A: a base GGUF and a LoRA over it become one GGUF, tensor by tensor; files and arithmetic.

Which base, which LoRA and what becomes of the result is :mod:`lsp_server.store.starter`'s
business. Numpy and the ``gguf`` package alone; the sum is computed in 32 bits.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, ReaderTensor
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from ..errors import CorruptModelError

EMBEDDING = "token_embd.weight"
ROWS = f"{EMBEDDING}.rows"
TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "F16")
"""What ``gguf`` can quantise to, by ggml's names."""

Advance = Callable[[int, int], None]
"""Called with (bytes written, bytes in all) before the first tensor and after each; may raise."""

Array = NDArray[Any]

Change = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Metadata:
    """One value of a GGUF's metadata, with its type in the file; ``items`` is an array's."""

    value: Any
    kind: GGUFValueType
    items: GGUFValueType | None = None


@dataclass(frozen=True, slots=True)
class Lora:
    """A LoRA in llama.cpp's layout, with new rows for some tokens' embeddings.

    ``pairs`` holds (A, B) of each weight by its name, still as they lie in the file; A has the
    shape ``(rank, inputs)``, B ``(outputs, rank)`` and the scale is in B; ``scale`` comes on top.
    ``rows`` belong to the tokens ``row_ids``.
    """

    name: str
    metadata: Mapping[str, Metadata]
    pairs: Mapping[str, tuple[ReaderTensor, ReaderTensor]]
    row_ids: Sequence[int] = ()
    rows: ReaderTensor | None = None
    scale: float = 1.0

    @classmethod
    def read(cls, path: Path) -> "Lora":
        """Map a LoRA file; raises CorruptModelError if it is none, or one with an own scale."""
        reader = GGUFReader(path)
        metadata = _metadata(reader)
        tensors = {tensor.name: tensor for tensor in reader.tensors}
        rows = tensors.pop(ROWS, None)
        names = {name.rsplit(".", 1)[0] for name in tensors}
        wanted = {f"{name}.{part}" for name in names for part in ("lora_a", "lora_b")}
        if _value(metadata, "adapter.type") != "lora" or wanted != set(tensors):
            raise CorruptModelError(f"{path.name} is no LoRA")
        if _value(metadata, "adapter.lora.alpha") != 0.0:
            raise CorruptModelError(f"{path.name} has a scale of its own, which is not supported")
        pairs = {name: (tensors[f"{name}.lora_a"], tensors[f"{name}.lora_b"]) for name in names}
        ids = _value(metadata, "tenon.embedding_rows") or []
        return cls(path.name, metadata, pairs, tuple(int(row) for row in ids), rows)

    def value(self, key: str) -> Any:
        """A metadata value, None if the file has none."""
        return _value(self.metadata, key)


def merge(
    base: Path,
    lora: Lora | None,
    output: Path,
    kind: str,
    *,
    values: Mapping[str, Metadata],
    advance: Advance = lambda _done, _total: None,
) -> None:
    """Write the base with the LoRA in it; the weights of its layers become of the type ``kind``.

    Embeddings and norms keep their type. The metadata is the base's, with ``values`` in place of
    or after its own. Raises CorruptModelError if the LoRA does not fit the base, ``OSError`` with
    a torn ``output``; whoever calls gives it its place once it is whole.
    """
    reader = GGUFReader(base)
    if lora is not None:
        _check_fit(lora, reader)
    planned = [(tensor, _kind(tensor, kind)) for tensor in reader.tensors]
    metadata = _metadata(reader) | dict(values)

    def data(tensor: ReaderTensor, to: GGMLQuantizationType) -> Array:
        return _merged(tensor, to, lora)

    _write(reader, planned, output, metadata, data_of=data, advance=advance)


def rewrite(
    base: Path,
    output: Path,
    changes: Mapping[str, Change],
    kind: str,
    *,
    values: Mapping[str, Metadata],
    without: Collection[str] = (),
    advance: Advance = lambda _done, _total: None,
) -> None:
    """Write the base with some of its weights changed, which become of the type ``kind``.

    ``changes`` turn a weight, by its name, into another of the same shape, both float32 as
    (outputs, inputs). All else is copied but the metadata in ``without``; ``values`` and errors are
    :func:`merge`'s.
    """
    reader = GGUFReader(base)
    names = {tensor.name for tensor in reader.tensors}
    missing = min(changes.keys() - names, default=None)
    if missing is not None:
        raise CorruptModelError(f"{base.name} has no {missing}, which is to be changed")
    to_kind = GGMLQuantizationType[kind]
    planned = [
        (tensor, to_kind if tensor.name in changes else tensor.tensor_type)
        for tensor in reader.tensors
    ]

    def data(tensor: ReaderTensor, to: GGMLQuantizationType) -> Array:
        change = changes.get(tensor.name)
        if change is None:
            return tensor.data
        changed: Array = quantize(change(_floats(tensor)), to)
        return changed

    kept = {key: entry for key, entry in _metadata(reader).items() if key not in without}
    _write(reader, planned, output, kept | dict(values), data_of=data, advance=advance)


def _write(
    reader: GGUFReader,
    planned: Sequence[tuple[ReaderTensor, GGMLQuantizationType]],
    output: Path,
    metadata: Mapping[str, Metadata],
    *,
    data_of: Callable[[ReaderTensor, GGMLQuantizationType], Array],
    advance: Advance,
) -> None:
    """The whole file, one tensor in memory at a time."""
    total = sum(_size(tensor, to) for tensor, to in planned)
    done = 0
    advance(done, total)
    _write_header(reader, planned, output, metadata)
    # Not the package's own writer: on a full disk numpy's tofile raises without an errno, or not at
    # all.
    with output.open("ab") as file:
        for tensor, to in planned:
            data = np.ascontiguousarray(data_of(tensor, to))
            _pad(file, reader.alignment)
            file.write(data.data)
            done += data.nbytes
            advance(done, total)
        _pad(file, reader.alignment)


def file_type(kind: str) -> int:
    """What ``general.file_type`` says of a file whose layers are of the ggml type ``kind``."""
    return int(LlamaFileType[f"MOSTLY_{kind}"])


def text(value: str) -> Metadata:
    return Metadata(value, GGUFValueType.STRING)


def number(value: int) -> Metadata:
    return Metadata(value, GGUFValueType.UINT32)


def _metadata(reader: GGUFReader) -> dict[str, Metadata]:
    """All but the architecture, which the writer adds by itself."""
    found: dict[str, Metadata] = {}
    for name, field in reader.fields.items():
        if name == "general.architecture" or name.startswith("GGUF."):
            continue
        items = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        found[name] = Metadata(field.contents(), field.types[0], items)
    return found


def _value(metadata: Mapping[str, Metadata], key: str) -> Any:
    entry = metadata.get(key)
    return None if entry is None else entry.value


def _check_fit(lora: Lora, reader: GGUFReader) -> None:
    shapes = {tensor.name: _shape(tensor) for tensor in reader.tensors}

    def refuse(name: str) -> CorruptModelError:
        return CorruptModelError(f"{lora.name} does not fit the base model in {name}")

    for name, (a, b) in lora.pairs.items():
        (rank, inputs), (outputs, other) = _shape(a), _shape(b)
        if shapes.get(name) != (outputs, inputs) or rank != other:
            raise refuse(name)
    embedding = shapes.get(EMBEDDING, (0, 0))
    expected = (len(lora.row_ids), embedding[1]) if lora.row_ids else None
    if expected != (_shape(lora.rows) if lora.rows is not None else None):
        raise refuse(ROWS)
    if any(not 0 <= row < embedding[0] for row in lora.row_ids):
        raise refuse(ROWS)


def _shape(tensor: ReaderTensor) -> tuple[int, ...]:
    """In numpy's order: ggml names the innermost dimension first."""
    return tuple(int(length) for length in reversed(tensor.shape))


def _kind(tensor: ReaderTensor, kind: str) -> GGMLQuantizationType:
    """The matrices of the layers change their type; embedding, output and norms do not."""
    if tensor.name.startswith("blk.") and len(tensor.shape) == 2:
        return GGMLQuantizationType[kind]
    return tensor.tensor_type


def _size(tensor: ReaderTensor, kind: GGMLQuantizationType) -> int:
    block, width = GGML_QUANT_SIZES[kind]
    return int(tensor.n_elements) // block * width


def _merged(tensor: ReaderTensor, kind: GGMLQuantizationType, lora: Lora | None) -> Array:
    """A tensor's bytes in the merged file; untouched ones are copied as they are."""
    if lora is not None and lora.rows is not None and tensor.name == EMBEDDING:
        data: Array = np.array(tensor.data)
        data[list(lora.row_ids)] = quantize(_floats(lora.rows), kind)
        return data
    pair = lora.pairs.get(tensor.name) if lora is not None else None
    if pair is None and kind == tensor.tensor_type:
        return tensor.data
    weights = _floats(tensor)
    if lora is not None and pair is not None:
        weights = weights + np.float32(lora.scale) * (_floats(pair[1]) @ _floats(pair[0]))
    quantised: Array = quantize(weights, kind)
    return quantised


def _floats(tensor: ReaderTensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = dequantize(tensor.data, tensor.tensor_type)
    return values


def _write_header(
    reader: GGUFReader,
    planned: Sequence[tuple[ReaderTensor, GGMLQuantizationType]],
    output: Path,
    metadata: Mapping[str, Metadata],
) -> None:
    """Everything up to the first tensor's data."""
    writer = GGUFWriter(output, reader.fields["general.architecture"].contents())
    writer.data_alignment = reader.alignment
    try:
        for key, entry in metadata.items():
            writer.add_key_value(key, entry.value, entry.kind, entry.items)
        for tensor, kind in planned:
            writer.add_tensor_info(
                tensor.name, _shape(tensor), np.dtype(np.float32), _size(tensor, kind), kind
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
    finally:
        writer.close()


def _pad(file: BinaryIO, alignment: int) -> None:
    file.write(bytes(-file.tell() % alignment))
