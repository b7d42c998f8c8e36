"""One measure, taken twice: the trainer's held-out loss and the gate's NLL, on the real starter."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.prompt.assemble import Snippet, Source
from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.e2e.engine.conftest import end_engine
from tests.starter import install, starter_file
from tests.train_extra import torch

pytest.importorskip("peft", reason="needs peft: run `tenon setup train` (make train-setup)")
from training.adapter.export import export_lora
from training.base.loading import load_base
from training.base.tokenizer import TextTokenizer
from training.data.terms import Terms
from training.evaluation.examples import FimExample
from training.gate.scoring import AdapterAt, loaded_arms, score
from training.recipe.config import RecipeConfig
from training.recipe.heldout import HeldOut
from training.recipe.material import Material
from training.recipe.trainee import Trainee, with_adapter
from training.served import ENDS

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

RECIPE = RecipeConfig(method="lora", rank=4)
FIM = FORMATS["tenon-starter"]
CONTEXT = (Snippet("shop/values.py", "def doubled(number):\n    return 2 * number\n"),)
SOURCE = """class Basket:
    def __init__(self, prices):
        self.prices = prices
        self.counts = {}

    def add(self, name, count=1):
        self.counts[name] = self.counts.get(name, 0) + count

    def cost(self, name):
        return self.prices[name] * self.counts[name]


def mean_price(basket):
    total = sum(basket.cost(name) for name in basket.counts)
    return total / len(basket.counts)


def show(basket):
    lines = []
    for name, price in basket.prices.items():
        lines.append(f"{name}: {price:.2f}")
    return "\\n".join(lines)
"""
EACH, MEAN = 0.15, 0.03
"""Nats per token, of a span and of all: llama.cpp rounds activations to 8 bits before it multiplies
them with Q4_0. Measured: 0.076 and 0.007. Without the ends the means are 0.28 apart, without what
healing chooses among 0.44.
"""
CUTS = (
    "class Bas|ket|:", "def a|dd|(self", "self.|counts[name]| =", "        return self|.prices|[",
    "def me|an_price|(", "    |total| = sum(basket", "basket.co|st(name)| for", "lines |=| []",
    "def sh|ow|(basket", 'f"{na|me}: |{price', "|    return total / len(basket.counts)\n|",
    "(basket):\n    |lines = []\n    for name, price| in", "basket.counts)||\n    return",
)  # fmt: skip
"""Places and their answers, between bars: in a word, behind an indentation, lines, nothing."""


def holes() -> list[FimExample]:
    found = []
    for cut in CUTS:
        before, middle, after = cut.split("|")
        start = SOURCE.index(before + middle + after) + len(before)
        stop = start + len(middle)
        found.append(FimExample(
            cut, SOURCE[:start], SOURCE[stop:], middle, "python", "shop/basket.py", "shop", CONTEXT
        ))  # fmt: skip
    return found


@pytest.fixture(scope="module")
def terms() -> Terms:
    tokenizer = TextTokenizer.read(starter_file())
    budget = Budget(prefix=96, suffix=48, output=64, snippets=48)
    return Terms(FIM, tokenizer, budget, tokenizer.ids[ENDS[FIM.name]])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    store = ModelStore(StorePaths(tmp_path_factory.mktemp("starter") / "home"))
    store.choose(install(store).name)
    yield store.paths
    end_engine(store.paths)


def by_the_trainer(trainee: Trainee, asked: Sequence[FimExample], terms: Terms) -> list[float]:
    """Each span's held-out loss, as if it were all that is held out."""
    losses = []
    for it in asked:
        source = Source(it.prefix, it.suffix, it.path, it.repository, it.context)
        material = Material(
            samples=lambda _start, _step: iter(()),
            pass_size=0,
            heldout=[terms.sample(source, it.middle)],
            pieces=terms.tokenizer.pieces,
        )
        losses.append(HeldOut(trainee, material.heldout, material.pieces, RECIPE).loss())
    return losses


async def test_trainer_and_gate_find_the_same(home: StorePaths, terms: Terms, tmp_path: Path):
    asked = holes()
    base = load_base(starter_file(), "fp32", "cpu")
    plain = by_the_trainer(Trainee(base), asked, terms)
    model = with_adapter(base, RECIPE)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    export_lora(model, starter_file(), tmp_path / "adapter.gguf")
    adapted = by_the_trainer(Trainee(model), asked, terms)

    engine = (await find_or_start(home, EngineOptions(context=512, threads=1))).connect()
    adapters = [AdapterAt("adapted", tmp_path / "adapter.gguf", 1.0)]
    async with loaded_arms(engine, adapters) as arms:
        scored = await score(engine, [asked], arms, terms.budget, end=terms.end)
    await engine.aclose()
    for arm, losses in (("base", plain), ("adapted", adapted)):
        found = [entry.nll[arm] / entry.tokens for entry in scored]
        assert found == pytest.approx(losses, abs=EACH)
        assert sum(found) / len(found) == pytest.approx(sum(losses) / len(losses), abs=MEAN)
