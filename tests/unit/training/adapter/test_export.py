"""The adapter's file, and every adapter that is refused by name."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader, GGUFWriter

from lsp_server.errors import CorruptModelError, ModelError
from lsp_server.store.gguf_header import read_header
from tests.tiny_models import WIDTH, write_tiny
from tests.train_extra import torch

pytest.importorskip("peft", reason="needs peft: run `tenon setup train` (make train-setup)")
from peft import IA3Config, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from training.adapter.baking import bake
from training.adapter.export import export_lora
from training.adapter.factors import check_servable
from training.base.loading import load_base

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

Exported = Callable[..., PeftModel]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny(tmp_path / "tiny.gguf", "llama")


@pytest.fixture
def adapted(base: Path) -> Callable[..., PeftModel]:
    def make(**settings: Any) -> PeftModel:
        config = LoraConfig(**{"r": 4, "target_modules": ["q_proj", "down_proj"]} | settings)
        return get_peft_model(load_base(base, "fp32", "cpu"), config)

    return make


def saved(model: PeftModel, folder: Path) -> Path:
    model.save_pretrained(str(folder))
    return folder


def test_what_the_file_says(tmp_path: Path, base: Path, adapted: Exported) -> None:
    provenance = {"base_sha256": "ab" * 32, "steps": 40, "loss": 0.5, "merged": False}
    size = export_lora(adapted(), base, tmp_path / "out.gguf", provenance=provenance)
    assert size == (tmp_path / "out.gguf").stat().st_size
    reader = GGUFReader(tmp_path / "out.gguf")
    values = {key: entry.contents() for key, entry in reader.fields.items()}
    assert values["general.type"] == "adapter"
    assert values["adapter.type"] == "lora"
    assert values["general.architecture"] == "llama"
    assert values["adapter.lora.alpha"] == 0.0
    assert {key: values[f"tenon.{key}"] for key in provenance} == provenance
    tensors = {entry.name: list(map(int, entry.shape)) for entry in reader.tensors}
    assert tensors["blk.0.attn_q.weight.lora_a"] == [WIDTH, 4]
    assert tensors["blk.1.ffn_down.weight.lora_b"] == [4, WIDTH]
    assert len(tensors) == 2 * 2 * 2
    assert {entry.tensor_type.name for entry in reader.tensors} == {"F16"}


def test_only_a_whole_file_takes_the_place(
    tmp_path: Path, base: Path, adapted: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out" / "adapter.gguf"
    output.parent.mkdir()
    output.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(GGUFWriter, "write_tensors_to_file", fail)
    with pytest.raises(OSError, match="no space"):
        export_lora(adapted(), base, output)
    assert output.read_bytes() == b"old"
    assert list(output.parent.iterdir()) == [output]


def test_a_disk_that_takes_less_than_it_is_given_leaves_the_old_file(
    tmp_path: Path, base: Path, adapted: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "adapter.gguf"
    output.write_bytes(b"old")
    really = GGUFWriter.close

    def close(writer: GGUFWriter) -> None:
        """numpy's tofile, on a full disk: the end is missing, and nobody is told."""
        really(writer)
        written = Path(writer.path)
        os.truncate(written, written.stat().st_size - 100)

    monkeypatch.setattr(GGUFWriter, "close", close)
    with pytest.raises(OSError, match="No space left") as raised:
        export_lora(adapted(), base, output)
    assert raised.value.errno == errno.ENOSPC
    assert output.read_bytes() == b"old"
    assert set(tmp_path.iterdir()) == {output, base}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "use_dora.*bake it"),
        ({"bias": "all"}, "bias='all'"),
        ({"lora_bias": True}, "lora_bias"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
        ({"target_modules": ["embed_tokens", "q_proj"]}, "embed_tokens.*leave embeddings"),
        ({"target_modules": ["lm_head", "q_proj"]}, "lm_head"),
        ({"init_lora_weights": "pissa"}, "pissa.*init_lora_weights=True"),
        (
            {"target_modules": ["q_proj"], "layer_replication": [(0, 2), (0, 2)]},
            "layer_replication",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # peft's, of the same things
def test_what_llama_cpp_cannot_serve_is_refused_by_name(
    tmp_path: Path, base: Path, adapted: Exported, settings: dict[str, Any], named: str
) -> None:
    model = adapted(**settings)
    for adapter in (model, saved(model, tmp_path / "peft")):
        with pytest.raises(ModelError, match=named):
            export_lora(adapter, base, tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


def test_the_settings_can_be_asked_before_anything_is_trained() -> None:
    check_servable(LoraConfig(r=4, use_rslora=True, rank_pattern={"q_proj": 2}))
    with pytest.raises(ModelError, match="fan_in_fan_out=True"):
        check_servable(LoraConfig(fan_in_fan_out=True))
    with pytest.raises(ModelError, match="type IA3"):
        check_servable(IA3Config())


def test_another_bases_adapter_is_refused(tmp_path: Path, base: Path, adapted: Exported) -> None:
    folder = saved(adapted(), tmp_path / "peft")
    state = load_file(folder / "adapter_model.safetensors")
    name = next(name for name in state if "q_proj.lora_B" in name)
    save_file(state | {name: torch.zeros(32, 4)}, folder / "adapter_model.safetensors")
    with pytest.raises(CorruptModelError, match=r"does not fit the base in blk.0.attn_q.weight"):
        export_lora(folder, base, tmp_path / "out.gguf")
    name = next(name for name in state if "down_proj.lora_A" in name)
    save_file(state | {name: torch.zeros(4, 32)}, folder / "adapter_model.safetensors")
    with pytest.raises(CorruptModelError, match=r"does not fit the base in blk.0.ffn_down.weight"):
        export_lora(folder, base, tmp_path / "out.gguf")


def test_a_folder_that_is_none(tmp_path: Path, base: Path, adapted: Exported) -> None:
    folder = saved(adapted(), tmp_path / "peft")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(CorruptModelError, match=r"no adapter_model.safetensors.*never a pickle"):
        export_lora(folder, base, tmp_path / "out.gguf")


def test_a_folder_that_lost_a_part(tmp_path: Path, base: Path, adapted: Exported) -> None:
    folder = saved(adapted(), tmp_path / "peft")
    state = load_file(folder / "adapter_model.safetensors")
    state.pop(next(name for name in state if "down_proj.lora_A" in name))
    save_file(state, folder / "adapter_model.safetensors")
    with pytest.raises(CorruptModelError, match=r"lacks a part of .*down_proj"):
        export_lora(folder, base, tmp_path / "out.gguf")


def test_a_folder_asks_for_nothing_from_a_hub(
    tmp_path: Path, base: Path, adapted: Exported
) -> None:
    folder = saved(adapted(), tmp_path / "peft")
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "nobody/nothing"
    (folder / "adapter_config.json").write_text(json.dumps(config))
    assert export_lora(folder, base, tmp_path / "out.gguf") > 0


def test_a_baked_model_is_a_model_of_its_own(tmp_path: Path, adapted: Exported, base: Path) -> None:
    path = write_tiny(tmp_path / "quantised.gguf", "llama", kind="Q4_0")
    output = tmp_path / "baked.gguf"
    bake(adapted(use_dora=True), path, output, provenance={"adapter": "x"})
    before, after = (
        {entry.name: entry for entry in GGUFReader(file).tensors} for file in (path, output)
    )
    assert before.keys() == after.keys()
    assert {name: entry.tensor_type for name, entry in before.items()} == {
        name: entry.tensor_type for name, entry in after.items()
    }
    assert (before["blk.0.attn_v.weight"].data == after["blk.0.attn_v.weight"].data).all()
    metadata = read_header(output).metadata
    assert metadata["tenon.adapter"] == "x"
    assert metadata["general.file_type"] == 2  # mostly Q4_0


def test_weights_that_numpy_cannot_write_become_q8_0(
    tmp_path: Path, adapted: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny(tmp_path / "quantised.gguf", "llama", kind="Q5_1")
    monkeypatch.setattr("training.adapter.baking.TYPES", ("Q8_0",))
    bake(adapted(), path, tmp_path / "baked.gguf")
    tensors = GGUFReader(tmp_path / "baked.gguf").tensors
    kinds = {entry.name: entry.tensor_type.name for entry in tensors}
    assert kinds["blk.0.attn_q.weight"] == "Q8_0"
    assert kinds["blk.0.attn_v.weight"] == "Q5_1"


def test_the_bases_identity_is_not_the_baked_models(tmp_path: Path, adapted: Exported) -> None:
    path = write_tiny(tmp_path / "named.gguf", "llama", base_id="ab" * 32)
    assert read_header(path).metadata["tenon.base_id"] == "ab" * 32
    bake(adapted(), path, tmp_path / "baked.gguf")
    assert "tenon.base_id" not in read_header(tmp_path / "baked.gguf").metadata


def test_a_lora_over_packed_weights_learns_and_is_exported(tmp_path: Path, base: Path) -> None:
    pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj", "up_proj"])
    model = get_peft_model(load_base(base, "nf4", "cpu"), config).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    assert {parameter.dtype for parameter in trained} == {torch.float32}
    optimiser = torch.optim.AdamW(trained, lr=1e-2)
    tokens = torch.randint(11, 200, (2, 24))
    losses = []
    for _ in range(8):
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert export_lora(model, base, tmp_path / "out.gguf") > 0
