"""W + B·A against plain numpy, byte for byte where nothing may change."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType
from gguf.quants import dequantize

from lsp_server.errors import CorruptModelError, DownloadCancelledError
from lsp_server.store.gguf_header import read_header
from lsp_server.store.merging import (
    TYPES,
    Lora,
    Metadata,
    file_type,
    merge,
    number,
    rewrite,
    text,
)
from tests.loras import TOKENS, write_lora, write_tiny_llama

STEPS = {"Q4_0": 1 / 8, "Q4_1": 1 / 15, "Q5_0": 1 / 16, "Q5_1": 1 / 31, "Q8_0": 1 / 127, "F16": 0}
"""Of a block's range, the widest distance of two values that a type can hold."""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny_llama(tmp_path / "base.gguf")


@pytest.fixture
def lora(tmp_path: Path, base: Path) -> Path:
    return write_lora(tmp_path / "lora.gguf", base)


def tensors(path: Path) -> dict[str, np.ndarray]:
    return {
        tensor.name: dequantize(tensor.data, tensor.tensor_type)
        for tensor in GGUFReader(path).tensors
    }


@pytest.mark.parametrize("kind", TYPES)
def test_every_matrix_is_the_sum_within_its_types_error(
    base: Path, lora: Path, tmp_path: Path, kind: str
) -> None:
    merged = tmp_path / "merged.gguf"
    merge(base, Lora.read(lora), merged, kind, values={})
    before, after, deltas = tensors(base), tensors(merged), tensors(lora)
    names = [name for name in before if name.startswith("blk.") and "norm" not in name]
    assert len(names) == 14
    for name in names:
        expected = before[name] + deltas[f"{name}.lora_b"] @ deltas[f"{name}.lora_a"]
        blocks = np.abs(expected.reshape(-1, 32) - after[name].reshape(-1, 32))
        span = np.ptp(expected.reshape(-1, 32), axis=1, keepdims=True)
        # Half a step, and what 16 bits lose of scale and offset.
        assert (blocks <= span * STEPS[kind] / 2 * 1.01 + 2e-3).all(), name
        assert not np.allclose(expected, before[name], atol=0.02)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in GGUFReader(merged).tensors}
    assert {kinds[name] for name in names} == {kind}
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["blk.0.attn_norm.weight"] == "F32"


def test_embeddings_change_in_the_named_rows_alone(base: Path, lora: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged.gguf"
    merge(base, Lora.read(lora), merged, "Q4_1", values={})
    old, new = (
        {entry.name: entry for entry in GGUFReader(path).tensors}["token_embd.weight"]
        for path in (base, merged)
    )
    rows = [3, 5, 8, 9, 10]
    others = [row for row in range(len(TOKENS)) if row not in rows]
    assert (old.data[others] == new.data[others]).all()
    values = dequantize(new.data, GGMLQuantizationType.Q8_0)[rows]
    assert np.allclose(values, tensors(lora)["token_embd.weight.rows"], atol=0.002)


def test_without_a_lora_what_keeps_its_type_keeps_its_bytes(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.gguf"
    merge(base, None, copy, "Q4_1", values={})
    assert copy.read_bytes() == base.read_bytes()


def test_metadata_is_the_bases_with_what_was_given(base: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged.gguf"
    values = {
        "general.name": text("Merged Ünï"),
        "general.file_type": number(file_type("Q5_1")),
        "tokenizer.ggml.eos_token_id": number(0),
        "tokenizer.ggml.token_type": Metadata(
            [1] * len(TOKENS), GGUFValueType.ARRAY, GGUFValueType.INT32
        ),
    }
    merge(base, None, merged, "Q5_1", values=values)
    header = read_header(merged)
    assert header.name == "Merged Ünï"
    assert header.vocabulary == TOKENS
    assert header.metadata["general.file_type"] == 9
    assert header.metadata["tokenizer.ggml.eos_token_id"] == 0
    assert header.license == "apache-2.0"
    fields = GGUFReader(merged).fields
    assert fields["tokenizer.ggml.token_type"].contents() == [1] * len(TOKENS)
    assert fields["tokenizer.ggml.merges"].contents() == ["a b", "c d"]


def test_sizes_and_progress_agree(base: Path, lora: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    merged = tmp_path / "m.gguf"
    merge(
        base, Lora.read(lora), merged, "Q8_0", values={},
        advance=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    total = sum(int(tensor.n_bytes) for tensor in GGUFReader(merged).tensors)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == ((0, total), (total, total))


def test_it_stops_where_it_is_told_to(base: Path, lora: Path, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done:
            raise DownloadCancelledError("stop")

    with pytest.raises(DownloadCancelledError):
        merge(base, Lora.read(lora), tmp_path / "m.gguf", "Q8_0", values={}, advance=stop)
    with pytest.raises(CorruptModelError, match="truncated"):
        read_header(tmp_path / "m.gguf")


def test_a_lora_over_another_shape_is_refused(base: Path, tmp_path: Path) -> None:
    other = write_tiny_llama(tmp_path / "other.gguf", width=32)
    lora = Lora.read(write_lora(tmp_path / "lora.gguf", other))
    with pytest.raises(CorruptModelError, match=r"does not fit the base model in blk\.\d"):
        merge(base, lora, tmp_path / "m.gguf", "Q4_1", values={})


def test_rows_outside_the_vocabulary_are_refused(base: Path, tmp_path: Path) -> None:
    lora = Lora.read(write_lora(tmp_path / "lora.gguf", base, row_ids=[len(TOKENS)]))
    with pytest.raises(CorruptModelError, match="token_embd"):
        merge(base, lora, tmp_path / "m.gguf", "Q4_1", values={})


def test_a_model_is_no_lora(base: Path) -> None:
    with pytest.raises(CorruptModelError, match="is no LoRA"):
        Lora.read(base)


def test_only_the_weights_that_change_are_written_anew(tmp_path: Path, base: Path) -> None:
    name, output = "blk.1.ffn_up.weight", tmp_path / "out.gguf"
    rewrite(
        base, output, {name: lambda weight: weight + 1}, "Q8_0",
        values={"tenon.made": text("here")}, without={"general.license"},
    )  # fmt: skip
    before, after = (
        {tensor.name: tensor for tensor in GGUFReader(file).tensors} for file in (base, output)
    )
    assert before.keys() == after.keys()
    for key, tensor in before.items():
        if key != name:
            assert after[key].tensor_type == tensor.tensor_type
            assert after[key].data.tobytes() == tensor.data.tobytes()
    assert after[name].tensor_type == GGMLQuantizationType.Q8_0
    assert np.allclose(tensors(output)[name], tensors(base)[name] + 1, atol=0.01)
    was, metadata = read_header(base).metadata, read_header(output).metadata
    assert metadata["tenon.made"] == "here"
    assert was.pop("general.license") == "apache-2.0"
    assert "general.license" not in metadata
    assert was.items() <= metadata.items()


def test_a_change_of_a_weight_that_is_not_there(tmp_path: Path, base: Path) -> None:
    with pytest.raises(CorruptModelError, match=r"base.gguf has no blk.9.ffn_up.weight"):
        rewrite(base, tmp_path / "out.gguf", {"blk.9.ffn_up.weight": np.asarray}, "Q8_0", values={})
