"""Several adapters over one base as one, which is exactly their weighted sum.

The factors of a weight are laid side by side: A's rows below each other, B's columns beside each
other with the scale in them, so that B·A is the sum of the parts' products. The rank is the sum of
the parts' ranks.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, ReaderTensor
from gguf.quants import dequantize, quantize
from numpy.typing import NDArray

from ...errors import AdapterError, CorruptAdapterError, CorruptModelError, WrongBaseError
from ..gguf_header import read_header
from ..lora_writing import lora_writer
from ..merging import Lora
from .manifest import COMPOSED, FILE, REJECTED, AdapterFacts, GateSummary, Part, StoredAdapter
from .publishing import check_file
from .registry import AdapterRegistry

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Share:
    """An adapter, and the scale at which it goes into the sum."""

    adapter: StoredAdapter
    scale: float


def compose(registry: AdapterRegistry, shares: Sequence[Share]) -> StoredAdapter:
    """Publish the weighted sum of several adapters; it serves only once a user chooses it.

    Raises AdapterError (fewer than two, one twice, a scale of 0, disk full), WrongBaseError for
    different bases, CorruptAdapterError, and ``OSError``: nothing is published then.
    """
    first = _checked(shares)
    with tempfile.TemporaryDirectory(prefix="tenon-compose-") as scratch:
        candidate = Path(scratch) / "candidate"
        candidate.mkdir()
        rank = write_sum(shares, candidate / FILE)
        facts = AdapterFacts(
            repository=registry.repository.name,
            commit=None,
            base=first.base,
            base_name=first.base_name,
            fim_format=first.fim_format,
            recipe={"method": "sum"},
            data_sha256="",
            rank=rank,
            scale=1.0,
            verdict=COMPOSED,
            gate=GateSummary(gain=0.0, lower=None, spans=0, reason="a sum that no gate has judged"),
            parts=tuple(_part(share) for share in shares),
        )
        return registry.publish(candidate, facts)


def write_sum(shares: Sequence[Share], output: Path) -> int:
    """Write the sum as a GGUF LoRA, at the scale 1; returns its rank, the largest of all weights.

    Raises CorruptAdapterError, AdapterError if the disk is full, ``OSError``.
    """
    parts = [(_lora(share.adapter), share.scale) for share in shares]
    architecture = read_header(shares[0].adapter.path, holds="adapter").architecture
    rank = 0
    try:
        with lora_writer(output, architecture) as writer:
            sources = [f"{share.adapter.id} x {share.scale:g}" for share in shares]
            writer.add_array("tenon.composed_of", sources)
            for name in dict.fromkeys(name for lora, _ in parts for name in lora.pairs):
                a, b = _side_by_side(name, parts)
                rank = max(rank, len(a))
                _add(writer, f"{name}.lora_a", a)
                _add(writer, f"{name}.lora_b", b)
    except OSError as error:
        raise AdapterError(
            f"the sum could not be written to {output.parent} ({error}); free some room there, or "
            "set TMPDIR to a folder with room"
        ) from error
    return rank


def _checked(shares: Sequence[Share]) -> StoredAdapter:
    """The first of the parts, if all of them may be added up."""
    if len(shares) < 2:
        raise AdapterError("a sum needs two adapters or more, as in `ID=1 ID=0.5`")
    if len({share.adapter.id for share in shares}) < len(shares):
        raise AdapterError("an adapter was named twice; give it once, with both scales added up")
    first = shares[0].adapter
    for share in shares:
        if share.scale == 0.0 or not np.isfinite(share.scale):
            raise AdapterError(f"{share.adapter.id} has the scale {share.scale:g}; leave it out")
        if share.adapter.base != first.base:
            raise WrongBaseError(
                f"{first.id} is over {first.base_name} ({first.base[:12]}) and {share.adapter.id} "
                f"over {share.adapter.base_name} ({share.adapter.base[:12]}); only adapters over "
                "one base can be added up"
            )
        check_file(share.adapter)
    return first


def _lora(adapter: StoredAdapter) -> Lora:
    try:
        lora = Lora.read(adapter.path)
    except CorruptModelError as error:
        raise CorruptAdapterError(f"the adapter {adapter.id} cannot be added: {error}") from error
    if lora.rows is not None:
        raise CorruptAdapterError(
            f"the adapter {adapter.id} changes embeddings, which cannot be added up"
        )
    return lora


def _part(share: Share) -> Part:
    adapter = share.adapter
    return Part(
        adapter_id=adapter.id,
        repository=adapter.repository,
        scale=share.scale,
        verdict=REJECTED if adapter.lost else adapter.verdict,
    )


def _side_by_side(name: str, parts: Sequence[tuple[Lora, float]]) -> tuple[Floats, Floats]:
    pairs = list(_pairs(name, parts))
    if len({(a.shape[1], b.shape[0]) for a, b in pairs}) > 1:
        raise CorruptAdapterError(f"the adapters differ in the shape of {name}; train them again")
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs], axis=1)


def _pairs(name: str, parts: Sequence[tuple[Lora, float]]) -> Iterator[tuple[Floats, Floats]]:
    for lora, scale in parts:
        if name in lora.pairs:
            a, b = (_floats(tensor) for tensor in lora.pairs[name])
            yield a, b * np.float32(scale)


def _floats(tensor: ReaderTensor) -> Floats:
    values: Floats = dequantize(tensor.data, tensor.tensor_type)
    return values


def _add(writer: GGUFWriter, name: str, values: Floats) -> None:
    """In 16 bits where that loses nothing, else in 32: the sum is to be exact."""
    with np.errstate(over="ignore"):
        exact = np.array_equal(values.astype(np.float16).astype(np.float32), values)
    kind = GGMLQuantizationType.F16 if exact else GGMLQuantizationType.F32
    writer.add_tensor(name, quantize(np.ascontiguousarray(values), kind), raw_dtype=kind)
