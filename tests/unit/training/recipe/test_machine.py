"""What a machine can run, and how."""

from pathlib import Path

import pytest

from lsp_server.errors import SettingsError
from tests.train_extra import torch
from training.recipe.config import (
    FEW_STEPS_RATE,
    FEW_STEPS_SAMPLES,
    RATE,
    STEP_SAMPLES,
    RecipeConfig,
)
from training.recipe.machine import CPU_MICRO_TOKENS, CPU_SECONDS, machine_for

FREE = 8_000_000


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A file of a megabyte, of which nothing but the size is looked at."""
    path = tmp_path / "base.gguf"
    path.write_bytes(bytes(1_000_000))
    return path


@pytest.fixture
def cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def with_gpu(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, free))


def with_bfloat16(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """``how`` a CPU multiplies it: by AMX, by AVX-512, or "" for neither."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: how == "amx")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: how == "avx512")


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(
    ("method", "how", "precision"),
    [("lora", "amx", "bf16"), ("lora", "avx512", "bf16"), ("lora", "", "fp32"),
     ("auto", "amx", "bf16"), ("full", "amx", "fp32"), ("dora", "amx", "bf16"),
     ("adalora", "", "fp32")],
)  # fmt: skip
def test_a_cpu_computes_in_what_it_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, base: Path, method: str, how: str, precision: str
) -> None:
    with_bfloat16(monkeypatch, how)
    machine, config = machine_for(RecipeConfig(method=method), base)
    assert (machine.device.type, machine.precision) == ("cpu", precision)
    assert not machine.compiled
    assert config.method == ("lora" if method == "auto" else method)


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(
    ("limits", "seconds"),
    [({}, CPU_SECONDS), ({"time_budget": 5.0}, 5.0), ({"max_steps": 3}, 0.0)],
)
def test_a_cpu_trains_for_some_minutes_if_nobody_says_otherwise(
    base: Path, limits: dict[str, float], seconds: float
) -> None:
    _, config = machine_for(RecipeConfig(**limits), base)
    assert config.time_budget == seconds


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(("given", "found"), [(0.0, FEW_STEPS_RATE), (1e-4, 1e-4)])
def test_the_few_steps_of_a_cpu_are_longer(base: Path, given: float, found: float) -> None:
    _, config = machine_for(RecipeConfig(learning_rate=given), base)
    assert config.rate == found


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(("given", "found"), [(0, FEW_STEPS_SAMPLES), (3, 3), (32, 32)])
def test_the_steps_of_a_cpu_are_more_of_fewer_samples(base: Path, given: int, found: int) -> None:
    _, config = machine_for(RecipeConfig(step_samples=given), base)
    assert config.batch == found


@pytest.mark.parametrize(
    ("processes", "few", "all_passes"), [(2, 8, 16), (3, 9, 18), (16, 16, 16), (17, 17, 17)]
)
def test_processes_can_share_a_step_that_nobody_chose(
    monkeypatch: pytest.MonkeyPatch, base: Path, processes: int, few: int, all_passes: int
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    _, config = machine_for(RecipeConfig(), base, processes=processes)
    _, chosen = machine_for(RecipeConfig(step_samples=8), base, processes=processes)
    assert (config.batch, chosen.batch) == (few, 8)  # what a user chose is theirs to mend
    with_gpu(monkeypatch, FREE)
    _, config = machine_for(RecipeConfig(), base, processes=processes)
    _, chosen = machine_for(RecipeConfig(step_samples=16), base, processes=processes)
    assert (config.batch, chosen.batch) == (all_passes, 16)


def test_what_changes_the_base_has_none_to_stay_near(base: Path) -> None:
    with pytest.raises(SettingsError, match=r"recipe\.anchor"):
        machine_for(RecipeConfig(method="full", anchor=0.5), base)


def test_all_passes_have_their_own_rate_and_steps() -> None:
    assert (RecipeConfig().rate, RecipeConfig().batch) == (RATE, STEP_SAMPLES)
    assert RecipeConfig(learning_rate=1e-4).rate == 1e-4
    assert RecipeConfig(step_samples=4).batch == 4


@pytest.mark.usefixtures("cpu")
@pytest.mark.parametrize(("given", "found"), [(100, 100), (10**6, CPU_MICRO_TOKENS)])
def test_a_cpu_takes_less_at_once(base: Path, given: int, found: int) -> None:
    _, config = machine_for(RecipeConfig(micro_tokens=given), base)
    assert config.micro_tokens == found


@pytest.mark.usefixtures("cpu")
def test_qlora_needs_a_gpu_and_says_what_to_do(base: Path) -> None:
    with pytest.raises(SettingsError, match="--method lora"):
        machine_for(RecipeConfig(method="qlora"), base)


@pytest.mark.parametrize(
    ("method", "free", "expected"),
    [("auto", FREE + 1, ("lora", "bf16")), ("auto", FREE - 1, ("qlora", "nf4")),
     ("lora", 1, ("lora", "bf16")), ("qlora", 10 * FREE, ("qlora", "nf4")),
     ("full", 10 * FREE, ("full", "fp32"))],
)  # fmt: skip
def test_a_gpu_packs_a_base_that_would_half_fill_it(
    monkeypatch: pytest.MonkeyPatch, base: Path, method: str, free: int, expected: tuple[str, str]
) -> None:
    with_gpu(monkeypatch, free)
    machine, config = machine_for(RecipeConfig(method=method), base)
    assert (config.method, machine.precision) == expected
    assert machine.compiled
    assert config.time_budget == 0


def test_every_process_has_its_own_gpu(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    with_gpu(monkeypatch, FREE)
    monkeypatch.setenv("LOCAL_RANK", "3")
    machine, _ = machine_for(RecipeConfig(), base)
    assert machine.device == torch.device("cuda", 3)
