import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize, quantize

from tests.tiny_llama import TOKENS, WIDTH, write_llama
from tests.train_extra import torch
from training.starter.llama import LINEARS, LlamaConfig, LlamaWeights, document_mask, read_llama
from training.starter.lowrank import LowRank, rounded_q4_0, straight_through
from training.starter.model import Model

ROWS = (3, 5, 9)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[LlamaConfig, LlamaWeights]:
    path = write_llama(tmp_path_factory.mktemp("base") / "tiny.gguf")
    return read_llama(path, GGUFReader(path))


def low_rank(weights: LlamaWeights, seed: int = 1) -> LowRank:
    return LowRank(weights, ROWS, attention_rank=4, feed_forward_rank=8, seed=seed)


def with_random_b(adapter: LowRank) -> LowRank:
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for factor in adapter.B.values():
            factor.copy_(0.1 * torch.randn(factor.shape, generator=generator))
    return adapter


def logits(sizes: LlamaConfig, weights: LlamaWeights, adapter: LowRank, tokens: list[int]):
    model = Model(sizes, weights, adapter, dtype=torch.float32, compiled=False)
    mask = document_mask(torch.ones((1, len(tokens)), dtype=torch.int64))
    with torch.no_grad():
        states = model.states(torch.tensor([tokens]), torch.arange(len(tokens))[None], mask)
        return states @ adapter.output(weights.embedding).T


def test_shapes_and_ranks(tiny):
    adapter = low_rank(tiny[1])
    assert adapter.A["attn_k"].shape == (2, 4, WIDTH)
    assert adapter.B["attn_k"].shape == (2, WIDTH // 2, 4)
    assert adapter.A["ffn_down"].shape == (2, 8, 96)
    assert adapter.B["ffn_down"].shape == (2, WIDTH, 8)
    assert adapter.rows.shape == (3, WIDTH)
    assert len(list(adapter.parameters())) == 2 * len(LINEARS) + 1


def test_a_seed_says_where_it_begins(tiny):
    first, same, other = low_rank(tiny[1]), low_rank(tiny[1]), low_rank(tiny[1], seed=2)
    assert torch.equal(first.A["ffn_up"], same.A["ffn_up"])
    assert torch.equal(first.rows, same.rows)
    assert not torch.equal(first.A["ffn_up"], other.A["ffn_up"])


def test_new_rows_are_as_long_as_the_others_and_differ(tiny):
    lengths = low_rank(tiny[1]).rows.norm(dim=1)
    median = tiny[1].embedding.norm(dim=1).median()
    assert ((lengths > 0.6 * median) & (lengths < 1.5 * median)).all()
    assert len(set(lengths.tolist())) == len(ROWS)


def test_at_the_beginning_it_is_the_base(tiny):
    _, weights = tiny
    linears = low_rank(weights).linears(weights, torch.float32, rounded=False)
    assert all(torch.equal(linears[name], weights.linears[name]) for name in LINEARS)


def test_the_difference_is_b_times_a_in_every_layer(tiny):
    adapter = with_random_b(low_rank(tiny[1]))
    linears = adapter.linears(tiny[1], torch.float32, rounded=False)
    for name in LINEARS:
        for layer in range(2):
            down, up = (factor[name][layer].detach().numpy() for factor in (adapter.A, adapter.B))
            expected = tiny[1].linears[name][layer].numpy() + up @ down
            assert np.allclose(linears[name][layer].detach().numpy(), expected, atol=1e-5)


def test_the_adapter_computes_what_the_merged_weights_do(tiny):
    sizes, weights = tiny
    adapter = with_random_b(low_rank(weights))
    linears = adapter.linears(weights, torch.float32, rounded=False)
    embedding = weights.embedding.clone()
    embedding[list(ROWS)] = adapter.rows.detach()
    merged = LlamaWeights(linears, weights.norms, weights.output_norm, embedding)
    tokens = [3, 40, 41, 5, 42, 9, 43]
    beside = logits(sizes, weights, adapter, tokens)
    fresh = low_rank(merged)
    with torch.no_grad():
        fresh.rows.copy_(adapter.rows)
    assert torch.allclose(beside, logits(sizes, merged, fresh, tokens), atol=1e-4)
    assert not torch.allclose(beside, logits(sizes, weights, low_rank(weights), tokens), atol=0.1)


def test_rows_stand_for_their_tokens_alone(tiny):
    _, weights = tiny
    adapter = low_rank(weights)
    tokens = torch.tensor([[5, 40, 3], [41, 9, 42]])
    embedded = adapter.embed(weights.embedding, tokens).detach()
    expected = weights.embedding[tokens]
    expected[0, 0], expected[0, 2], expected[1, 1] = adapter.rows.detach()[[1, 0, 2]]
    assert torch.equal(embedded, expected)


def test_rows_are_in_the_output_and_learn_from_their_use_as_inputs_alone(tiny):
    _, weights = tiny
    adapter = low_rank(weights)
    output = adapter.output(weights.embedding)
    others = [token for token in range(len(TOKENS)) if token not in ROWS]
    assert torch.equal(output[list(ROWS)], adapter.rows.detach())
    assert torch.equal(output[others], weights.embedding[others])
    assert not output.requires_grad
    adapter.embed(weights.embedding, torch.tensor([[5, 40, 5]])).sum().backward()
    assert adapter.rows.grad[1].tolist() == [2.0] * WIDTH
    assert not adapter.rows.grad[[0, 2]].any()


def test_rounded_sums_are_what_q4_0_says_of_them(tiny):
    adapter = with_random_b(low_rank(tiny[1]))
    exact = adapter.linears(tiny[1], torch.float32, rounded=False)
    rounded = adapter.linears(tiny[1], torch.float32, rounded=True)
    for name in LINEARS:
        served = as_q4_0(exact[name].detach().numpy())
        assert np.allclose(rounded[name].detach().numpy(), served, atol=1e-6), name
        assert not np.allclose(exact[name].detach().numpy(), served, atol=1e-3)


def as_q4_0(values: np.ndarray) -> np.ndarray:
    kind = GGMLQuantizationType.Q4_0
    return dequantize(quantize(values, kind), kind)


RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize(
    "values",
    [
        RANDOM.normal(0, 0.05, (300, 576)),
        RANDOM.normal(0, 0.05, (2, 3, 64)),
        RANDOM.standard_t(2, (100, 320)),
        np.zeros((2, 64)),
        np.full((2, 64), 0.25),
        np.full((2, 64), -0.3),
        np.where(RANDOM.random((50, 64)) < 0.8, 0, RANDOM.normal(0, 1, (50, 64))),
        # As large on both sides, and exactly between two steps.
        np.tile(np.arange(-16, 16) / 16, (1, 2)),
        np.tile([1.0, -1.0], (1, 32)),
    ],
    ids=["normal", "stacked", "outliers", "zeros", "constant", "negative", "sparse", "ties",
         "both"],
)  # fmt: skip
def test_rounding_is_ggmls_bit_for_bit(values: np.ndarray):
    values = values.astype(np.float32)
    assert rounded_q4_0(torch.from_numpy(values)).numpy().tobytes() == as_q4_0(values).tobytes()


def test_gradients_pass_the_rounding_as_they_are():
    weight = torch.linspace(-1, 1, 64).requires_grad_()
    slope = torch.linspace(0, 5, 64)
    rounded = straight_through(weight)
    (rounded * slope).sum().backward()
    assert torch.allclose(rounded.detach(), rounded_q4_0(weight.detach()))
    assert not torch.allclose(rounded.detach(), weight.detach(), atol=0.01)
    assert torch.equal(weight.grad, slope)
