import os
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize

from lsp_server.errors import CorruptModelError
from lsp_server.store.integrity import checksum
from lsp_server.store.merging import Lora, merge
from tests.tiny_llama import TOKENS, served_logits, write_llama
from tests.train_extra import torch
from training.starter import artefact
from training.starter.artefact import FIM_TOKENS, LEARNED_ROWS, Progress
from training.starter.llama import LINEARS, LlamaWeights, document_mask, read_llama
from training.starter.lowrank import LowRank
from training.starter.model import Model

IDS = {text: number for number, text in enumerate(TOKENS)}
ROW_IDS = [IDS[token] for token in LEARNED_ROWS]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("base") / "base.gguf", kind="F16")


@pytest.fixture(scope="module")
def weights(base: Path) -> LlamaWeights:
    return read_llama(base, GGUFReader(base))[1]


def fresh(weights: LlamaWeights, *, rank: int = 32, rows: list[int] = ROW_IDS) -> LowRank:
    return LowRank(weights, rows, attention_rank=rank, feed_forward_rank=64, seed=1)


@pytest.fixture
def trained(weights: LlamaWeights) -> LowRank:
    """As strong as the base itself."""
    adapter = fresh(weights)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for factor in adapter.parameters():
            factor.copy_(0.1 * torch.randn(factor.shape, generator=generator))
        for factor in adapter.A.values():
            factor.mul_(3)
    return adapter


def save(path: Path, adapter: LowRank, base: Path, progress: Progress = Progress(7, 700)) -> Path:  # noqa: B008
    artefact.save(path, adapter, progress, ids=IDS, base_sha256=checksum(base))
    return path


@pytest.fixture
def saved(tmp_path: Path, trained: LowRank, base: Path) -> Path:
    return save(tmp_path / "starter.lora.gguf", trained, base)


def test_what_was_saved_is_loaded_within_the_error_of_8_bits(saved, trained, base, weights):
    again = fresh(weights)
    assert artefact.load(saved, again, checksum(base)) == Progress(7, 700)
    for name in LINEARS:
        for factors, loaded in ((trained.A, again.A), (trained.B, again.B)):
            exact, found = (entry[name].detach().unflatten(-1, (-1, 32))
                            for entry in (factors, loaded))  # fmt: skip
            step = exact.abs().amax(-1, keepdim=True) / 127
            assert ((exact - found).abs() <= step * 0.51 + 127 * step * 2**-11).all()
            assert not torch.equal(exact, found)
    assert torch.equal(again.rows, trained.rows)


def test_the_file_says_what_it_is_and_which_tokens_fill_the_middle(saved, base):
    lora = Lora.read(saved)
    assert lora.value("tenon.starter_sha256") == checksum(base)
    assert lora.value("tenon.recipe_version") == artefact.RECIPE_VERSION
    assert lora.value("general.license") == "apache-2.0"
    assert lora.row_ids == tuple(ROW_IDS)
    assert len(lora.pairs) == 2 * len(LINEARS)
    assert {key: TOKENS[lora.value(key)] for key in FIM_TOKENS} == FIM_TOKENS


@pytest.mark.parametrize("point", ["header", "tensors", "sync"])
def test_killed_while_writing_the_old_file_stays(request, saved, trained, base, point):
    monkeypatch, weights = map(request.getfixturevalue, ("monkeypatch", "weights"))
    before = saved.read_bytes()

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    if point == "sync":
        monkeypatch.setattr(os, "fsync", die)
    else:
        name = {"header": "write_kv_data_to_file", "tensors": "write_tensors_to_file"}[point]
        monkeypatch.setattr(GGUFWriter, name, die)
    with pytest.raises(KeyboardInterrupt):
        save(saved, trained, base, Progress(8, 800))
    assert saved.read_bytes() == before
    monkeypatch.undo()
    save(saved, trained, base, Progress(8, 800))
    assert artefact.load(saved, fresh(weights), checksum(base)) == Progress(8, 800)
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_whoever_reads_the_old_file_goes_on_reading_it(saved, trained, base):
    before = saved.read_bytes()
    with saved.open("rb") as reader:
        save(saved, trained, base, Progress(8, 800))
        assert reader.read() == before
    assert saved.read_bytes() != before


def test_an_artefact_over_another_starter_is_refused(saved, weights):
    with pytest.raises(CorruptModelError, match=r"another base.*over the same base"):
        artefact.load(saved, fresh(weights), "0" * 64)


def test_other_ranks_are_refused(saved, weights, base):
    with pytest.raises(CorruptModelError, match="the ranks of its configuration"):
        artefact.load(saved, fresh(weights, rank=64), checksum(base))


def test_a_rank_of_one_is_not_spread_over_all(tmp_path, weights, base, monkeypatch):
    monkeypatch.setattr(artefact, "STORED", GGMLQuantizationType.F32)
    path = save(tmp_path / "one.gguf", fresh(weights, rank=1), base)
    with pytest.raises(CorruptModelError, match="the ranks of its configuration"):
        artefact.load(path, fresh(weights), checksum(base))


@pytest.mark.parametrize("rows", [ROW_IDS[:1], ROW_IDS[::-1]])
def test_rows_of_other_tokens_are_refused(tmp_path, weights, base, rows):
    path = save(tmp_path / "other.gguf", fresh(weights, rows=rows), base)
    with pytest.raises(CorruptModelError, match="rows belong to other tokens"):
        artefact.load(path, fresh(weights), checksum(base))


def test_what_is_no_artefact_is_refused(tmp_path, weights, base):
    with pytest.raises(CorruptModelError, match=r"base\.gguf is no artefact"):
        artefact.load(base, fresh(weights), checksum(base))
    with pytest.raises(CorruptModelError, match=r"missing\.gguf is no artefact"):
        artefact.load(tmp_path / "missing.gguf", fresh(weights), checksum(base))


@pytest.mark.parametrize("kept", [0, 3, 4, 20, 30, 100, 500, 1500, 3000, -1])
def test_a_torn_file_is_refused(saved, weights, base, kept):
    content = saved.read_bytes()
    saved.write_bytes(content[: kept if kept >= 0 else len(content) * 3 // 4])
    with pytest.raises(CorruptModelError, match="an earlier run of this release wrote"):
        artefact.load(saved, fresh(weights), checksum(base))


@pytest.mark.parametrize("content", [b"no GGUF, but of some length", b"GGUF" + b"\xff" * 200])
def test_something_else_is_refused(saved, weights, base, content):
    saved.write_bytes(content)
    with pytest.raises(CorruptModelError, match="an earlier run of this release wrote"):
        artefact.load(saved, fresh(weights), checksum(base))


def test_the_store_merges_it_to_the_weights_that_were_trained(saved, base, weights, tmp_path):
    adapter = fresh(weights)
    artefact.load(saved, adapter, checksum(base))
    merged = tmp_path / "merged.gguf"
    merge(base, Lora.read(saved), merged, "F16", values={})
    found = read_llama(merged, GGUFReader(merged))[1]
    with torch.no_grad():
        expected = adapter.linears(weights, torch.float32, rounded=False)
    for name in LINEARS:
        assert torch.allclose(found.linears[name], expected[name], rtol=1e-3, atol=1e-4)
        assert not torch.allclose(found.linears[name], weights.linears[name], atol=0.1)
    assert torch.allclose(found.embedding[ROW_IDS], adapter.rows.detach(), rtol=1e-3)


def test_rounded_training_is_what_llama_cpp_serves(saved, base, weights, tmp_path):
    adapter = fresh(weights)
    artefact.load(saved, adapter, checksum(base))
    served = tmp_path / "served.gguf"
    merge(base, Lora.read(saved), served, "Q4_0", values={})
    tokens = [*ROW_IDS, *range(40, 80)]
    exact, rounded = (trained_logits(base, adapter, tokens, rounded=on) for on in (False, True))
    found = served_logits(served, tokens)
    # What is left is llama.cpp's, which rounds what goes into a product to 8 bits.
    assert np.abs(found - rounded).mean() < 0.3 * np.abs(exact - rounded).mean()


def trained_logits(base: Path, adapter: LowRank, tokens: list[int], *, rounded: bool) -> np.ndarray:
    sizes, weights = read_llama(base, GGUFReader(base))
    model = Model(sizes, weights, adapter, dtype=torch.float32, compiled=False)
    model.rounded = rounded
    mask = document_mask(torch.ones((1, len(tokens)), dtype=torch.int64))
    with torch.no_grad():
        states = model.states(torch.tensor([tokens]), torch.arange(len(tokens))[None], mask)
        return (states[0] @ adapter.output(weights.embedding).T).numpy()


def test_eight_bits_are_what_the_factors_lie_in(saved):
    for tensor in GGUFReader(saved).tensors:
        kind = GGMLQuantizationType(tensor.tensor_type).name
        assert kind == ("F32" if tensor.name.endswith(".rows") else "Q8_0")
        values = dequantize(tensor.data, tensor.tensor_type)
        assert (quantize(values, tensor.tensor_type) == tensor.data).all()


def test_an_artefact_of_another_recipe_is_refused(saved, weights, base, monkeypatch):
    monkeypatch.setattr(artefact, "RECIPE_VERSION", artefact.RECIPE_VERSION + 1)
    with pytest.raises(CorruptModelError, match="of the recipe"):
        artefact.load(saved, fresh(weights), checksum(base))
