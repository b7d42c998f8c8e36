"""What training would take, and when it is refused; the starter is the real one."""

from pathlib import Path

import msgspec
import psutil
import pytest

from lsp_server.errors import NotNowError
from tests.starter import starter_file
from tests.train_extra import torch
from training.recipe.config import RecipeConfig
from training.recipe.machine import CPU_MICRO_TOKENS, Machine
from training.running.memory import GIGABYTE, check_memory, needed_bytes

CPU = Machine(torch.device("cpu"), "bf16", compiled=False)
RECIPE = RecipeConfig(method="lora", micro_tokens=CPU_MICRO_TOKENS)


@pytest.fixture
def base() -> Path:
    return starter_file()


def gpu(kept: float = 1.0, precision: str = "bf16") -> Machine:
    return Machine(torch.device("cuda", 0), precision, compiled=True, kept=kept)


def test_the_starter_takes_what_was_measured(base: Path):
    assert 2.2 * GIGABYTE < needed_bytes(base, CPU, RECIPE) < 3.2 * GIGABYTE


def test_everything_that_takes_memory_counts(base: Path):
    plain = needed_bytes(base, CPU, RECIPE)
    single = Machine(torch.device("cpu"), "fp32", compiled=False)
    assert needed_bytes(base, single, RECIPE) > plain
    changes = (
        {"rank": 64}, {"micro_tokens": 2 * CPU_MICRO_TOKENS}, {"method": "full"}, {"anchor": 0.5},
    )  # fmt: skip
    for change in changes:
        assert needed_bytes(base, CPU, msgspec.structs.replace(RECIPE, **change)) > plain
    whole, packed = gpu(), gpu(0.2, "nf4")
    assert needed_bytes(base, packed, RECIPE) < needed_bytes(base, whole, RECIPE)


@pytest.mark.parametrize(("free", "refused"), [(1 * GIGABYTE, True), (8 * GIGABYTE, False)])
def test_a_cpu_with_too_little_is_refused(
    monkeypatch: pytest.MonkeyPatch, base: Path, free: int, *, refused: bool
):
    memory = psutil.virtual_memory()._replace(available=free)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    if not refused:
        check_memory(base, CPU, RECIPE)
        return
    with pytest.raises(NotNowError) as raised:
        check_memory(base, CPU, RECIPE)
    assert "1.0 GB are free; close what uses it" in str(raised.value)
    assert "qlora" not in str(raised.value)


def test_a_gpu_with_too_little_is_refused(monkeypatch: pytest.MonkeyPatch, base: Path):
    free = 10**8
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, 10**11))
    with pytest.raises(NotNowError, match=r"of the GPU's memory, and 0\.1 GB are free.*qlora"):
        check_memory(base, gpu(), RECIPE)
    with pytest.raises(NotNowError) as raised:
        check_memory(base, gpu(precision="nf4"), RECIPE)
    assert "qlora" not in str(raised.value)
    free = 10**11
    check_memory(base, gpu(), RECIPE)
