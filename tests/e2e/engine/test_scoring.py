"""The gate's figures, with the real starter and a LoRA over it behind the real engine."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import pytest

from lsp_server.completion.budget import budget_for
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, find_or_start
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt, Snippet, Source, assemble
from lsp_server.prompt.window import Budget
from lsp_server.store.adapters.manifest import base_identity
from lsp_server.store.catalogue import STARTER, base_id, load_catalogue
from lsp_server.store.files import RepositoryFile
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.e2e.engine.conftest import end_engine
from tests.loras import write_lora
from tests.starter import install
from training.evaluation.examples import FimExample
from training.evaluation.stretches import stretches
from training.gate.judge import Trial, judge
from training.gate.report import Limits
from training.gate.scoring import AdapterAt, Arm, generate, loaded_arms, score

BUDGET = Budget(prefix=48, suffix=16, output=8, snippets=32)
END = 0
"""``<|endoftext|>``."""
HEAD = "def {0}(numbers):\n    total = 0\n    for number in numbers:\n        "
CONTEXT = (Snippet("app/values.py", "def doubled(number):\n    return 2 * number\n"),)


def hole(number: int, middle: str) -> FimExample:
    prefix = HEAD.format(f"sum_{number}")
    path = f"app/sums{number}.py"
    suffix = "\n    return total\n"
    return FimExample(str(number), prefix, suffix, middle, "python", path, "app", CONTEXT)


HOLES = (hole(1, "total += number"), hole(2, "total += doubled(number)"), hole(3, "pass"))


@pytest.fixture(scope="module")
def starter_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    store = ModelStore(StorePaths(tmp_path_factory.mktemp("starter") / "home"))
    store.choose(install(store).name)
    yield store.paths
    end_engine(store.paths)


@pytest.fixture
async def engine(starter_home: StorePaths) -> AsyncIterator[HttpEngine]:
    running = await find_or_start(starter_home, EngineOptions(context=512, threads=1))
    client = running.connect()
    yield client
    await client.aclose()


@pytest.fixture(scope="module")
def lora(starter_home: StorePaths, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = ModelStore(starter_home).get(STARTER).path
    path = tmp_path_factory.mktemp("lora") / "adapter.gguf"
    return write_lora(path, base, row_ids=(), rank=4, strength=0.08)


async def prompt_of(engine: HttpEngine, example: FimExample) -> Prompt:
    """By hand, as serving does it."""
    source = Source(
        example.prefix, example.suffix, example.path, example.repository, example.context
    )
    lines = f"{example.prefix}{example.suffix}".splitlines(keepends=True)
    counts = dict(zip(lines, await engine.count_tokens(lines), strict=True))
    fim = (await engine.info()).fim
    return assemble(source, fim, BUDGET, lambda texts: [counts.get(text, 1) for text in texts])


async def test_scales_of_an_adapter_beside_the_base(engine: HttpEngine, lora: Path):
    adapters = [AdapterAt(f"at {scale}", lora, scale) for scale in (0.0, 0.5, 1.0)]
    async with loaded_arms(engine, adapters) as arms:
        scored = await score(engine, [HOLES], arms, BUDGET, end=END)
        again = await score(engine, [HOLES[::-1]], arms[::-1], BUDGET, end=END)
        by_hand = [
            await engine.score_answer(
                await prompt_of(engine, example),
                example.middle,
                end=END,
                adapter=arm.adapter,
            )
            for example in HOLES
            for arm in (arms[0], arms[3])
        ]
    assert [entry.example for entry in scored] == list(HOLES)
    for number, (one, other) in enumerate(zip(scored, again[::-1], strict=True)):
        # Neither the order of holes nor that of arms matters: no KV is mixed.
        assert one.nll == pytest.approx(other.nll, abs=0.02)
        assert one.nll["at 0.0"] == pytest.approx(one.nll["base"], abs=0.02)
        assert one.nll["base"] == pytest.approx(-sum(by_hand[2 * number]), abs=0.02)
        assert one.nll["at 1.0"] == pytest.approx(-sum(by_hand[2 * number + 1]), abs=0.02)
        assert one.tokens == len(by_hand[2 * number])
        assert len({round(nll, 3) for name, nll in one.nll.items() if name != "at 0.0"}) == 3
    # Random weights know less, and the more of them the less.
    base, half, whole = (
        sum(entry.nll[name] for entry in scored) for name in ("base", "at 0.5", "at 1.0")
    )
    assert base < half < whole
    assert (await engine.ask_info()).adapters == ()


async def test_a_stretch_line_by_line_is_as_its_lines_alone(engine: HttpEngine, lora: Path):
    """What a question leaves in the KV cache for the next one is what that would compute itself."""
    text = "import math\n\n\nclass Circle:\n    def __init__(self, radius):\n" + "".join(
        f"        self.{name} = {worth}\n"
        for name, worth in (("radius", "radius"), ("area", "math.pi * radius**2"),
                            ("length", "2 * math.pi * radius"), ("name", "'circle'"))
    ) + "\n    def __repr__(self):\n        return self.name\n"  # fmt: skip
    file = RepositoryFile("app/circle.py", "python", text, "", 0.0)
    new = (text.index("        self.radius"), text.index("\n    def __repr__"))
    (stretch,) = stretches(file, [new], Random(1), repository="app")
    assert len(stretch) == 4
    async with loaded_arms(engine, [AdapterAt("lora", lora, 1.0)]) as arms:
        typed = await score(engine, [stretch], arms, BUDGET, end=END)
        alone = []
        for example in reversed(stretch):
            alone += await score(engine, [HOLES[:1], (example,)], arms, BUDGET, end=END)
    assert [entry.example for entry in typed] == list(stretch)
    for one, other in zip(typed, alone[1::2][::-1], strict=True):
        assert one.tokens == other.tokens
        assert one.nll == pytest.approx(other.nll, abs=0.02)


async def test_an_answers_end_is_scored_behind_it(engine: HttpEngine):
    example = HOLES[0]
    prompt = await prompt_of(engine, example)
    bare = await engine.score_answer(prompt, example.middle)
    *whole, ended = await engine.score_answer(prompt, example.middle, end=END)
    assert whole == pytest.approx(bare, abs=0.02)
    assert -0.5 < ended < 0  # it stops here, as it does when it generates
    *_, early = await engine.score_answer(prompt, "total +=", end=END)
    assert early < -3
    (none,) = (await engine.score_answer(prompt, "", end=END))[-1:]
    assert none < -3


async def test_of_what_follows_an_answer_nothing_is_scored(engine: HttpEngine):
    """But the words are cut with it: where one crosses the answer's end, it is that one."""
    prompt = await prompt_of(engine, HOLES[0])
    whole = await engine.score_answer(prompt, "total += doubled(number)")
    bare = await engine.score_answer(prompt, "total += number")
    followed = await engine.score_answer(prompt, "total += number", followed_by="\n    ")
    assert followed == pytest.approx(bare, abs=0.02)
    begun = await engine.score_answer(prompt, "total += dou", followed_by="bled(number)")
    assert 0 < len(begun) < len(whole)
    assert begun == pytest.approx(whole[: len(begun)], abs=0.02)
    first = await engine.score_answer(prompt, "tot", followed_by="al += number")
    assert first == pytest.approx(bare[: len(first)], abs=0.02)


async def test_only_what_ends_answers_is_scored_as_an_end(engine: HttpEngine):
    prompt = await prompt_of(engine, HOLES[0])
    with pytest.raises(EngineRequestError, match="ends no answer") as refused:
        await engine.score_answer(prompt, "pass", end=100)
    assert refused.value.param == "answer_end"


async def test_answers_of_each_arm(engine: HttpEngine, lora: Path):
    adapters = [AdapterAt("none of it", lora, 0.0), AdapterAt("all of it", lora, 1.0)]
    async with loaded_arms(engine, adapters) as arms:
        (found,) = await generate(engine, [HOLES[:1]], arms, BUDGET, most=16)
    answers = found.answers
    assert answers["base"].text == answers["none of it"].text
    assert answers["base"].text.startswith("total")
    assert answers["base"].stopped
    assert answers["all of it"].text != answers["base"].text


async def test_random_weights_are_rejected_by_the_gate(engine: HttpEngine, lora: Path):
    limits = Limits(spans=3, files=3, general=1, resamples=200)
    trial = Trial([HOLES], [HOLES[:1]], lora, 1.0, BUDGET, END, limits=limits)
    report = await judge(engine, trial)
    assert report.verdict == "rejected"
    assert report.reasons[0].startswith("no gain: -")
    assert report.sweep.chosen.general_rise > 0


async def test_whose_adapters_belong_to_the_starter(engine: HttpEngine, starter_home: StorePaths):
    info = await engine.info()
    store, entry = ModelStore(starter_home), load_catalogue()[STARTER]
    assert base_identity(store, info.model, info.sha256) == base_id(entry) != info.sha256


async def test_the_budgets_that_serve_fit(engine: HttpEngine):
    budget = budget_for(await engine.info(), 250)
    (scored,) = await score(engine, [HOLES[:1]], [Arm("base")], budget, end=END)
    assert 0 < scored.nll["base"] < 5 * scored.tokens
