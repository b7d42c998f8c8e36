"""llama.cpp is the judge: what transformers and PEFT compute over a GGUF, it computes too."""

from pathlib import Path

import numpy as np
import pytest

from tests.starter import starter_file
from tests.tiny_llama import TOKENS, served_logits
from tests.tiny_models import SHAPES, unpacked, write_tiny
from tests.train_extra import torch

pytest.importorskip("peft", reason="needs peft: run `tenon setup train` (make train-setup)")
from gguf import GGUFReader
from peft import AdaLoraConfig, LoraConfig, PeftModel, get_peft_model

from training.adapter.baking import bake
from training.adapter.export import export_lora
from training.base.architectures import ARCHITECTURES
from training.base.loading import load_base
from training.base.tokenizer import TextTokenizer

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

IDS = [int(token) for token in np.random.default_rng(3).integers(11, len(TOKENS), 48)]
SOURCE = """def mean(values):
    total = 0
    for value in values:
        total += value
    return """


def logits(model: object, tokens: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model(torch.tensor([tokens])).logits[0].float().numpy()


def difference(found: np.ndarray, served: np.ndarray) -> float:
    """The largest of all tokens' root mean squares, as a share of the logits' spread.

    llama.cpp keeps keys and values in 16 bits, so that it is about 0.001 for the same arithmetic.
    """
    return float(np.sqrt(((found - served) ** 2).mean(axis=-1)).max() / served.std())


def linears(base: object) -> list[str]:
    known = {name for entry in ARCHITECTURES.values() for name in entry.linears}
    return sorted({name.rpartition(".")[2] for name, _ in base.named_modules()} & known)


def adapted(
    base: object, *, strength: float = 0.15, seed: int = 0, **settings: object
) -> PeftModel:
    """A random LoRA over every linear map, strong enough to change every answer."""
    config = LoraConfig(target_modules=linears(base), **{"r": 4, "lora_alpha": 6} | settings)
    torch.manual_seed(seed)
    model = get_peft_model(base, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=strength)
    return model


def adalora(base: object) -> PeftModel:
    """The same as AdaLoRA, where the second rank of every weight has lost its budget."""
    config = AdaLoraConfig(
        target_modules=linears(base), init_r=4, target_r=2, lora_alpha=12, total_step=10,
        tinit=1, tfinal=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = get_peft_model(base, config).eval()
    for name, parameter in model.named_parameters():
        if "lora_E" in name:
            torch.nn.init.normal_(parameter, std=1.0)
            parameter.data[1] = 0
        elif "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_base_computes_what_is_served(tmp_path: Path, architecture: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    assert difference(logits(load_base(path, "fp32", "cpu"), IDS), served_logits(path, IDS)) < 0.003


@pytest.mark.parametrize("architecture", [shape for shape in SHAPES if shape != "gemma2"])
def test_an_output_of_its_own(tmp_path: Path, architecture: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture, tied=False)
    assert difference(logits(load_base(path, "fp32", "cpu"), IDS), served_logits(path, IDS)) < 0.003


@pytest.mark.parametrize("architecture", SHAPES)
def test_a_stretched_context(tmp_path: Path, architecture: str) -> None:
    more = {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    path = write_tiny(tmp_path / "tiny.gguf", architecture, more=more)
    assert difference(logits(load_base(path, "fp32", "cpu"), IDS), served_logits(path, IDS)) < 0.003


def test_llama_3s_frequencies(tmp_path: Path) -> None:
    plain = write_tiny(tmp_path / "plain.gguf", "llama")
    path = write_tiny(tmp_path / "tiny.gguf", "llama", extra={"rope_freqs.weight": (8,)})
    served = served_logits(path, IDS)
    assert difference(logits(load_base(path, "fp32", "cpu"), IDS), served) < 0.003
    assert difference(logits(load_base(plain, "fp32", "cpu"), IDS), served) > 0.03


@pytest.mark.parametrize("architecture", SHAPES)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True, "rank_pattern": {"down_proj|c_proj": 2}},
        {"alpha_pattern": {"q_proj": 16.0, "layers.1.self_attn.v_proj": 1.0}},
    ],
    ids=["plain", "rslora", "patterns"],
)
def test_an_exported_adapter_does_what_peft_does(
    tmp_path: Path, architecture: str, settings: dict[str, object]
) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    base = load_base(path, "fp32", "cpu")
    plain = logits(base, IDS)
    model = adapted(base, **settings)
    trained = logits(model, IDS)
    assert difference(plain, trained) > 0.2
    export_lora(model, path, tmp_path / "adapter.gguf")
    assert difference(trained, served_logits(path, IDS, tmp_path / "adapter.gguf")) < 0.004
    # The folder that PEFT saves says the same.
    model.save_pretrained(str(tmp_path / "peft"))
    export_lora(tmp_path / "peft", path, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "adapter.gguf").read_bytes()


@pytest.mark.parametrize("kind", ["Q4_0", "Q5_1", "Q8_0", "F16"])
def test_quantised_weights_mean_the_same(tmp_path: Path, kind: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", "llama", kind=kind)
    found = logits(load_base(path, "fp32", "cpu"), IDS)
    served = served_logits(unpacked(path, tmp_path / "unpacked.gguf"), IDS)
    assert difference(found, served) < 0.003


@pytest.fixture(scope="module")
def unpacked_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(starter_file(), tmp_path_factory.mktemp("starter") / "unpacked.gguf")


def test_over_the_real_starter(tmp_path: Path, unpacked_starter: Path) -> None:
    path = starter_file()
    tokens = TextTokenizer.read(path).encode(SOURCE)
    base = load_base(path, "fp32", "cpu")
    plain = logits(base, tokens)
    assert difference(plain, served_logits(unpacked_starter, tokens)) < 0.002
    model = adapted(base, strength=0.03, r=8, lora_alpha=16)
    trained = logits(model, tokens)
    assert difference(plain, trained) > 0.1
    export_lora(model, path, tmp_path / "adapter.gguf")
    exact = served_logits(unpacked_starter, tokens, tmp_path / "adapter.gguf")
    served = served_logits(path, tokens, tmp_path / "adapter.gguf")
    assert difference(trained, exact) < 0.002
    # As it is served, llama.cpp rounds activations to 8 bits on their way into Q4_0 weights.
    assert difference(trained, served) < 0.1


@pytest.mark.parametrize("architecture", SHAPES)
def test_adalora_is_served_as_the_lora_that_it_is(tmp_path: Path, architecture: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    base = load_base(path, "fp32", "cpu")
    plain = logits(base, IDS)
    model = adalora(base)
    trained = logits(model, IDS)
    assert difference(plain, trained) > 0.2
    export_lora(model, path, tmp_path / "adapter.gguf")
    assert difference(trained, served_logits(path, IDS, tmp_path / "adapter.gguf")) < 0.004
    written = {entry.name: entry for entry in GGUFReader(tmp_path / "adapter.gguf").tensors}
    assert list(written["blk.0.attn_q.weight.lora_a"].shape) == [64, 3]
    model.save_pretrained(str(tmp_path / "peft"))
    export_lora(tmp_path / "peft", path, tmp_path / "again.gguf")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "adapter.gguf").read_bytes()


@pytest.mark.parametrize("architecture", SHAPES)
@pytest.mark.parametrize("method", ["dora", "adalora", "lora"])
def test_a_baked_model_does_what_peft_does(tmp_path: Path, architecture: str, method: str) -> None:
    path = write_tiny(tmp_path / "tiny.gguf", architecture)
    base = load_base(path, "fp32", "cpu")
    plain = logits(base, IDS)
    model = adalora(base) if method == "adalora" else adapted(base, use_dora=method == "dora")
    for name, parameter in model.named_parameters():
        if "magnitude" in name:
            parameter.data *= torch.rand(parameter.shape) + 0.5
    trained = logits(model, IDS)
    assert difference(plain, trained) > 0.2
    bake(model, path, tmp_path / "baked.gguf", kind="F16")
    # llama.cpp multiplies F16 weights by activations of 16 bits.
    assert difference(trained, served_logits(tmp_path / "baked.gguf", IDS)) < 0.006
    model.save_pretrained(str(tmp_path / "peft"))
    bake(tmp_path / "peft", path, tmp_path / "again.gguf", kind="F16")
    assert (tmp_path / "again.gguf").read_bytes() == (tmp_path / "baked.gguf").read_bytes()
