"""Weights are unpacked piece by piece, and the pieces make the whole."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, dequantize

from lsp_server.errors import CorruptModelError, ModelError
from lsp_server.store.gguf_header import TensorInfo, read_header
from tests.tiny_models import SHAPES, write_tiny
from tests.train_extra import torch
from training.base import stored
from training.base.stored import StoredTensors


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16", "Q4_0", "Q5_1", "Q8_0"])
@pytest.mark.parametrize("at_once", [1, 200, 1 << 20])
def test_the_pieces_are_the_tensor(
    tmp_path: Path, kind: str, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_AT_ONCE", at_once)
    path = write_tiny(tmp_path / "tiny.gguf", "qwen2", kind=kind)
    tensors = StoredTensors(path, read_header(path))
    entries = GGUFReader(path).tensors
    assert tensors.names() == {entry.name for entry in entries}
    for entry in entries:
        wanted = dequantize(entry.data, entry.tensor_type)
        assert tensors.shape(entry.name) == wanted.shape
        assert np.array_equal(tensors.whole(entry.name), wanted)
        starts = [start for start, _ in tensors.pieces(entry.name)]
        assert starts == sorted(set(starts))
        if at_once == 200 and wanted.shape == (64, 64):
            assert starts == list(range(0, 64, 3))


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_model_read_in_small_pieces_is_the_same(
    tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="needs transformers: run `tenon setup train`")
    from training.base.loading import load_base

    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    whole = load_base(path, "fp32", "cpu").state_dict()
    monkeypatch.setattr(stored, "_AT_ONCE", 200)
    pieces = load_base(path, "fp32", "cpu").state_dict()
    assert whole.keys() == pieces.keys()
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_what_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama")
    header = read_header(path)
    info = header.tensors["output_norm.weight"]
    for kind in (26, 9999):  # ggml's I32; a type of the future
        odd = TensorInfo(info.shape, kind, info.offset, info.size)
        tensors = StoredTensors(path, _with(header, "output_norm.weight", odd))
        with pytest.raises(ModelError, match=r"output_norm.weight is of a ggml type .*Q4_K_M"):
            tensors.whole("output_norm.weight")


def test_what_is_not_there(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama")
    with pytest.raises(CorruptModelError, match=r"no output.weight; pull the model again"):
        StoredTensors(path, read_header(path)).shape("output.weight")


def _with(header, name, info):
    from dataclasses import replace

    return replace(header, tensors={**header.tensors, name: info})
