"""Which files llama.cpp is never given: each of these ended the process, or would serve nothing."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter

from lsp_server.engine.lora_file import check
from lsp_server.errors import EngineRequestError
from tests.gguf_files import write_gguf
from tests.loras import write_lora, write_tiny_llama
from tests.odd_loras import EMBEDDING, ODD_TENSORS, ODD_VALUES, A, B, write_odd


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llama(tmp_path_factory.mktemp("base") / "base.gguf")


def refused(path: Path, base: Path) -> str:
    with pytest.raises(EngineRequestError) as caught:
        check(path, "llama", base)
    assert (caught.value.status, caught.value.param) == (422, "lora_path")
    assert str(caught.value).startswith("The adapter")
    return str(caught.value)


def test_a_lora_takes_what_its_weights_take(tmp_path: Path, base: Path):
    assert check(write_odd(tmp_path / "a.gguf"), "llama", base) == A.nbytes + B.nbytes


@pytest.mark.parametrize("exact", [True, False])
def test_what_tenon_writes_is_taken(tmp_path: Path, base: Path, exact: bool):
    path = write_lora(tmp_path / "a.gguf", base, row_ids=(), exact=exact)
    assert 0 < check(path, "llama", base) < path.stat().st_size


@pytest.mark.parametrize(("values", "message"), ODD_VALUES)
def test_values_that_llama_cpp_would_end_at(tmp_path: Path, base: Path, values, message: str):
    assert message in refused(write_odd(tmp_path / "a.gguf", values), base)


@pytest.mark.parametrize(("tensors", "message"), ODD_TENSORS)
def test_weights_that_llama_cpp_would_end_at(tmp_path: Path, base: Path, tensors, message: str):
    assert message in refused(write_odd(tmp_path / "a.gguf", tensors=tensors), base)


def test_embeddings_of_their_own_may_be_changed(tmp_path: Path):
    writer = GGUFWriter(tmp_path / "base.gguf", "llama")
    for name in (EMBEDDING, "output.weight"):
        writer.add_tensor(name, np.ones((96, 64), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tensors = {f"{EMBEDDING}.lora_a": B, f"{EMBEDDING}.lora_b": A.T.copy()}
    assert (
        check(write_odd(tmp_path / "a.gguf", tensors=tensors), "llama", tmp_path / "base.gguf") > 0
    )


def test_another_architectures_adapter_is_refused(tmp_path: Path, base: Path):
    path = write_odd(tmp_path / "a.gguf", architecture="qwen2")
    assert "trained over a qwen2, and this model is a llama" in refused(path, base)


def test_what_is_no_adapter_is_refused(tmp_path: Path, base: Path):
    assert "holds no adapter but: model" in refused(write_gguf(tmp_path / "a.gguf"), base)
    (tmp_path / "b.gguf").write_bytes(b"no gguf at all" * 100)
    assert "does not start with the letters GGUF" in refused(tmp_path / "b.gguf", base)
    assert "cannot be read" in refused(tmp_path, base)


def test_every_cut_is_refused(tmp_path: Path, base: Path):
    data = write_lora(tmp_path / "a.gguf", base, row_ids=(), rank=2).read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, len(data), 61), len(data) - 64, len(data) - 33]:
        cut.write_bytes(data[:length])
        refused(cut, base)
