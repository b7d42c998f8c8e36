"""The fused pass computes what PEFT's own does, and leaves alone what it cannot."""

import copy

import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn

from tests.tiny_trainee import VOCABULARY, tiny_base
from training.recipe.config import ATTENTION, FEED_FORWARD
from training.recipe.fused import LowRankLinear, fuse, unpacked

MODULES = [*ATTENTION, *FEED_FORWARD]
LAYERS = 2 * 7


def adapted(base: nn.Module, **settings: object) -> PeftModel:
    """No factor is zero, so that each has a gradient."""
    lora = LoraConfig(r=4, lora_alpha=6, target_modules=MODULES, task_type="CAUSAL_LM")
    for name, value in settings.items():
        setattr(lora, name, value)
    model = get_peft_model(base, lora)
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            nn.init.normal_(parameter, std=0.1)
    return model.train()  # bitsandbytes repacks what a CPU only evaluates


def computed(model: PeftModel) -> dict[str, Tensor]:
    """Logits, and the gradient of every parameter that learns."""
    torch.manual_seed(4)
    logits = model(input_ids=torch.randint(VOCABULARY, (2, 9)), use_cache=False).logits
    (logits.float() ** 2).mean().backward()
    gradients = {name: it.grad for name, it in model.named_parameters() if it.requires_grad}
    return {"logits": logits.detach(), **gradients}


def assert_fused_is_equal(model: PeftModel, *, within: float, fused: int = LAYERS) -> None:
    expected = computed(model)
    model.zero_grad(set_to_none=True)
    assert fuse(model) == fused
    found = computed(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        difference = float((found[name].float() - value.float()).norm())
        assert difference <= within * float(value.float().norm()), name
        assert float(value.float().norm()) > 0, name


@pytest.mark.parametrize("bias", [False, True])
def test_in_32_bits(bias: bool) -> None:
    assert_fused_is_equal(adapted(tiny_base(bias=bias)), within=1e-5)


@pytest.mark.parametrize("bias", [False, True])
def test_over_bfloat16(bias: bool) -> None:
    model = adapted(tiny_base(bias=bias, dtype=torch.bfloat16))
    assert {it.dtype for it in model.parameters() if it.requires_grad} == {torch.float32}
    assert_fused_is_equal(model, within=0.06)


def test_under_autocast() -> None:
    model = adapted(tiny_base())
    with torch.autocast("cpu", torch.bfloat16):
        assert_fused_is_equal(model, within=0.06)


def test_layers_of_different_ranks() -> None:
    model = adapted(
        tiny_base(), rank_pattern={"q_proj": 2, "down_proj": 7}, alpha_pattern={"q_proj": 9}
    )
    assert_fused_is_equal(model, within=1e-5)


def packed_base(*, quant_type: str = "nf4", nested: bool = True) -> nn.Module:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    base = tiny_base(bias=True)
    for name, module in list(base.named_modules()):
        if name.rpartition(".")[2] in MODULES:
            linear = bitsandbytes.nn.Linear4bit(
                module.in_features, module.out_features, compute_dtype=torch.float32,
                compress_statistics=nested, quant_type=quant_type,
            )  # fmt: skip
            linear.load_state_dict(module.state_dict())
            base.set_submodule(name, linear.to("cpu"))
    base.is_loaded_in_4bit = True
    return base.requires_grad_(requires_grad=False)


def test_over_nf4() -> None:
    assert_fused_is_equal(adapted(packed_base()), within=1e-5)


def test_nf4_is_unpacked_as_bitsandbytes_does() -> None:
    pytest.importorskip("bitsandbytes")
    from bitsandbytes.functional import dequantize_4bit

    from training.recipe.fused import _packed

    weight = packed_base().model.layers[0].mlp.up_proj.weight
    assert torch.equal(unpacked(*_packed(weight)), dequantize_4bit(weight.data, weight.quant_state))


@pytest.mark.parametrize("changes", [{"quant_type": "fp4"}, {"nested": False}])
def test_other_packed_weights_keep_pefts_own_pass(changes: dict[str, object]) -> None:
    assert_fused_is_equal(adapted(packed_base(**changes)), within=0.0, fused=0)


@pytest.mark.parametrize(
    "changes", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}]
)
def test_other_layers_keep_pefts_own_pass(changes: dict[str, object]) -> None:
    lora = LoraConfig(r=4, target_modules=MODULES, task_type="CAUSAL_LM", **changes)
    assert fuse(get_peft_model(tiny_base(bias=True), lora)) == 0


def test_an_adapter_can_be_switched_off_and_merged() -> None:
    model = adapted(tiny_base())
    plain = computed(model)["logits"]
    model.zero_grad(set_to_none=True)
    fuse(model)
    tokens = torch.arange(9)[None]
    with torch.no_grad():
        learnt = model(input_ids=tokens).logits
        with model.disable_adapter():
            off = model(input_ids=tokens).logits
        assert torch.equal(off, tiny_base()(input_ids=tokens).logits)
        model.merge_adapter()
        assert torch.allclose(model(input_ids=tokens).logits, learnt, atol=1e-4)
        model.unmerge_adapter()
    assert torch.allclose(computed(model)["logits"], plain, atol=1e-4)
    assert not torch.allclose(off, learnt, atol=1e-2)


def test_a_copy_computes_with_its_own_weights() -> None:
    model = adapted(tiny_base())
    fuse(model)
    copied = copy.deepcopy(model)
    for name, parameter in model.named_parameters():
        if ".lora_B." in name:
            nn.init.zeros_(parameter)
    assert not torch.allclose(computed(model)["logits"], computed(copied)["logits"], atol=1e-2)


def test_gradients_against_differences() -> None:
    torch.manual_seed(0)
    x, a, b, weight = (
        torch.randn(size, dtype=torch.float64, requires_grad=True)
        for size in [(2, 3, 5), (2, 5), (4, 2), (4, 5)]
    )
    frozen = weight.detach()
    assert torch.autograd.gradcheck(
        lambda *learnt: LowRankLinear.apply(*learnt, 1.5, frozen), (x, a, b)
    )
