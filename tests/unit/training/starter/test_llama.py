"""llama.cpp is the judge: what it computes over a GGUF, training computes over the same file."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

from lsp_server.errors import ModelError
from tests.tiny_llama import LAYERS, TOKENS, WIDTH, served_logits, write_llama
from tests.train_extra import torch
from training.starter.llama import LINEARS, LlamaWeights, document_mask, read_llama
from training.starter.lowrank import LowRank
from training.starter.model import Model

RANDOM = np.random.default_rng(3)
FIRST, SECOND = ([int(token) for token in RANDOM.integers(11, len(TOKENS), 40)] for _ in range(2))


def trained_logits(path: Path, *documents: list[int]) -> np.ndarray:
    """Training's, of documents packed into one row."""
    sizes, weights = read_llama(path, GGUFReader(path))
    adapter = LowRank(weights, [3], attention_rank=32, feed_forward_rank=32, seed=1)
    with torch.no_grad():
        adapter.rows.copy_(weights.embedding[[3]])
    model = Model(sizes, weights, adapter, dtype=torch.float32, compiled=False)
    tokens = torch.tensor([[token for document in documents for token in document]])
    positions = torch.cat([torch.arange(len(document)) for document in documents])[None]
    numbers = [number for number, document in enumerate(documents, 1) for _ in document]
    with torch.no_grad():
        states = model.states(tokens, positions, document_mask(torch.tensor([numbers])))
        return (states[0] @ weights.embedding.T).numpy()


@pytest.mark.parametrize("kind", ["F32", "F16"])
def test_the_logits_are_llama_cpps(tmp_path: Path, kind: str) -> None:
    path = write_llama(tmp_path / "tiny.gguf", kind=kind)
    served, trained = served_logits(path, FIRST), trained_logits(path, FIRST)
    # llama.cpp keeps keys and values in 16 bits, and multiplies F16 weights in 16 bits.
    assert np.abs(trained - served).max() < 0.01 * served.std()


def test_packed_documents_do_not_see_each_other(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    packed = trained_logits(path, FIRST[:7], SECOND, FIRST[7:])
    alone = [trained_logits(path, document) for document in (FIRST[:7], SECOND, FIRST[7:])]
    assert np.allclose(packed, np.concatenate(alone), atol=1e-4)
    # As one document they do.
    assert not np.allclose(trained_logits(path, FIRST[:7] + SECOND)[7:], packed[7:47], atol=0.1)


def test_a_mask_is_causal_inside_a_document() -> None:
    mask = document_mask(torch.tensor([[1, 1, 2, 0, 0], [1, 1, 1, 1, 2]]))
    assert mask.shape == (2, 1, 5, 5)
    assert mask[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]
    assert mask[1, 0, 3].tolist() == [True, True, True, True, False]


def test_sizes_and_weights_are_the_files(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf", kind="Q8_0")
    sizes, weights = read_llama(path, GGUFReader(path))
    assert (sizes.layers, sizes.width, sizes.heads, sizes.kv_heads, sizes.head_size) == (
        LAYERS, WIDTH, 4, 2, 16,
    )  # fmt: skip
    assert sizes.vocabulary == len(TOKENS)
    assert sizes.rope_base == 100_000
    assert set(weights.linears) == set(LINEARS)
    assert weights.linears["attn_k"].shape == (LAYERS, WIDTH // 2, WIDTH)
    assert weights.linears["ffn_down"].shape == (LAYERS, WIDTH, 96)
    assert {weight.dtype for weight in weights.linears.values()} == {torch.float32}


def test_weights_move_as_a_whole(tmp_path: Path) -> None:
    path = write_llama(tmp_path / "tiny.gguf")
    _, weights = read_llama(path, GGUFReader(path))
    moved = weights.to(torch.device("meta"))
    assert isinstance(moved, LlamaWeights)
    held = (*moved.linears.values(), *moved.norms.values(), moved.output_norm, moved.embedding)
    assert {weight.device.type for weight in held} == {"meta"}
    assert len(held) == len(LINEARS) + 4


@pytest.mark.parametrize("missing", ["blk.1.ffn_up.weight", "output_norm.weight", "head_count_kv"])
def test_a_file_that_lacks_something_is_refused(tmp_path: Path, missing: str) -> None:
    path = write_llama(tmp_path / "tiny.gguf", without=missing)
    with pytest.raises(ModelError, match=f"tiny.gguf .*{missing}.*pull it again"):
        read_llama(path, GGUFReader(path))
