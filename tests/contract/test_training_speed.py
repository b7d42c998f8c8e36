"""The benchmark of training compares like with like, and one side's failure is only its own."""

import pytest

from tests.train_extra import torch

pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from tests.benchmarks.training_speed.loads import Load, mixed
from tests.benchmarks.training_speed.measure import measure
from tests.benchmarks.training_speed.sides import Case, side
from training.data.samples import Sample

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Triggered internally:UserWarning"),
]

CPU = torch.device("cpu")
LOAD = mixed(512, shortest=30, longest=90)


@pytest.mark.parametrize(("precision", "within"), [("fp32", 1e-5), ("bf16", 0.01), ("nf4", 0.01)])
def test_both_sides_compute_the_same(precision: str, within: float) -> None:
    samples = next(LOAD.batches(0))
    plain, tenon = (
        side("tiny", Case(name, precision, checkpointed=True, micro_tokens=300), CPU).computed(
            samples
        )
        for name in ("plain", "tenon")
    )
    assert tenon.loss == pytest.approx(plain.loss, rel=within)
    assert tenon.gradient == pytest.approx(plain.gradient, rel=within)
    assert plain.gradient > 0.1


@pytest.mark.parametrize("name", ["plain", "tenon"])
def test_what_fails_is_a_row_and_the_rest_goes_on(name: str) -> None:
    unknown = Load("unknown token", (Sample((512,) * 40, 20),) * 2, 2)
    short = Load("short", LOAD.samples[:4], 2)
    broken, done = measure("tiny", Case(name, "fp32"), [unknown, short], CPU, seconds=0.0)
    assert broken.failure.startswith("IndexError")
    assert not done.failure
    assert done.steps == 2
    assert done.padded_per_second > done.tokens_per_second > 0
