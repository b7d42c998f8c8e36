"""The frozen model of a GGUF: its memory format, its ties, and what is refused."""

from pathlib import Path

import pytest

from lsp_server.errors import CorruptModelError, ModelError
from tests.tiny_models import SHAPES, WIDTH, write_tiny
from tests.train_extra import torch

pytest.importorskip("transformers", reason="needs transformers: run `tenon setup train`")
from training.base.loading import load_base

IDS = torch.tensor([[20, 30, 40, 50, 60, 70]])


@pytest.mark.parametrize("architecture", SHAPES)
def test_everything_is_frozen_and_in_its_place(tmp_path: Path, architecture: str) -> None:
    model = load_base(write_tiny(tmp_path / "tiny.gguf", architecture), "fp32", "cpu")
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    held = (*model.parameters(), *model.buffers())
    assert {tensor.device.type for tensor in held} == {"cpu"}
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert not model.training


def test_an_output_of_its_own_is_not_tied(tmp_path: Path) -> None:
    model = load_base(write_tiny(tmp_path / "tiny.gguf", "qwen2", tied=False), "fp32", "cpu")
    output, embedding = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    assert output.shape == embedding.shape
    assert not torch.equal(output, embedding)


@pytest.mark.parametrize("architecture", SHAPES)
def test_in_bfloat16_it_says_about_the_same(tmp_path: Path, architecture: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    exact, rounded = (load_base(path, precision, "cpu") for precision in ("fp32", "bf16"))
    assert {parameter.dtype for parameter in rounded.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        error = (exact(IDS).logits - rounded(IDS).logits.float()).std()
        assert 0 < error < 0.1 * exact(IDS).logits.std()


@pytest.mark.filterwarnings("ignore::FutureWarning")  # bitsandbytes' own
@pytest.mark.parametrize("architecture", SHAPES)
def test_packed_to_four_bits(tmp_path: Path, architecture: str) -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    exact, packed = (load_base(path, precision, "cpu") for precision in ("fp32", "nf4"))
    query = packed.get_submodule("model.layers.0.self_attn.q_proj")
    assert isinstance(query, bitsandbytes.nn.Linear4bit)
    assert query.weight.dtype == torch.uint8
    assert query.weight.numel() * 2 == query.in_features * query.out_features
    assert query.weight.quant_state.nested  # double quantisation
    assert query.weight.quant_state.quant_type == "nf4"
    assert packed.get_input_embeddings().weight.dtype == torch.bfloat16
    meant = bitsandbytes.functional.dequantize_4bit(query.weight.data, query.weight.quant_state)
    wanted = exact.get_submodule("model.layers.0.self_attn.q_proj").weight
    # Sixteen steps that follow the normal distribution: a tenth of the spread.
    assert 0 < (meant.float() - wanted).std() < 0.15 * wanted.std()
    with torch.no_grad():
        assert torch.isfinite(packed(IDS).logits).all()


def test_an_architecture_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "granite")
    with pytest.raises(ModelError, match=r"'granite' can be served but not trained.*starcoder2"):
        load_base(path, "fp32", "cpu")


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"rope.scaling.type": "yarn"}, "yarn.*without it"),
        ({"attention.value_length": 8.0}, "attention.value_length"),
    ],
)
def test_what_would_compute_something_else_is_refused(
    tmp_path: Path, more: dict[str, str | float], named: str
) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama", more=more)
    with pytest.raises(ModelError, match=named):
        load_base(path, "fp32", "cpu")


@pytest.mark.parametrize(
    ("architecture", "tensor"),
    [
        ("llama", "blk.0.ffn_gate_inp.weight"),
        ("llama", "blk.1.attn_q.bias"),
        ("qwen3", "rope_freqs.weight"),
    ],
)
def test_a_weight_without_a_place_is_refused(
    tmp_path: Path, architecture: str, tensor: str
) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture, extra={tensor: (WIDTH,)})
    with pytest.raises(ModelError, match=f"{tensor}.*choose another model"):
        load_base(path, "fp32", "cpu")


@pytest.mark.parametrize("missing", ["blk.1.ffn_up.weight", "output_norm.weight"])
def test_a_file_that_lacks_a_weight_is_refused(tmp_path: Path, missing: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama", without=missing)
    with pytest.raises(CorruptModelError, match=f"no {missing}; pull"):
        load_base(path, "fp32", "cpu")


def test_a_weight_of_another_size_is_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama", extra={"blk.0.ffn_up.weight": (8, WIDTH)})
    with pytest.raises(CorruptModelError, match=r"blk.0.ffn_up.weight is not of the size"):
        load_base(path, "fp32", "cpu")
