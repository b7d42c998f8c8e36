"""Which spans are asked, of whom, and when it ends; the engine answers from a script."""

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.prompt.assemble import Snippet
from lsp_server.prompt.formats import Text
from lsp_server.prompt.window import Budget
from tests.fakes import FakeEngine
from training.evaluation.examples import FimExample
from training.gate.judge import Trial, judge
from training.gate.report import Limits
from training.gate.scoring import (
    AdapterAt,
    Arm,
    Span,
    fair_order,
    generate,
    loaded_arms,
    score,
)
from training.gate.timing import TimeBudget

BUDGET = Budget(prefix=64, suffix=16, output=8, snippets=64)
END = 7
ARMS = (Arm("base"), Arm("candidate@1", "lora"))


class ScoringEngine(FakeEngine):
    """Every adapter scores every token by ``logprob``, the base by -1; keeps what it loaded."""

    def __init__(self, answer="x", *, logprob: float = -0.5, **options) -> None:
        super().__init__(answer, **options)
        self.logprob = logprob
        self.scored: list[tuple[str, str | None]] = []
        self.loaded: dict[str, tuple[Path, float]] = {}

    async def score_answer(self, prompt, answer, *, end, adapter=None, **how):
        assert how["priority"] > 0
        assert end == END
        if answer.startswith("too long"):
            raise EngineRequestError("too long", param="prompt")
        texts = [entry.text for entry in prompt.segments if isinstance(entry, Text)]
        self.scored.append(("|".join(texts), adapter))
        return [self.logprob if adapter else -1.0] * 4

    async def load_adapter(self, name, path, *, scale=1.0, replace=False):
        self.loaded[name] = (path, scale)

    async def unload_adapter(self, name):
        del self.loaded[name]


def span(number: int, *, file: str = "", kind: str = "line", middle: str = "") -> Span:
    file = file or f"f{number % 7}.py"
    middle = middle or f"y = {number}\n"
    return Span(FimExample(str(number), f"# {number}\n", "z = 1\n", middle, path=file), kind)


SPANS = [span(number) for number in range(50)]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def clock_of(engine: ScoringEngine):
    """A second per question."""
    return lambda: float(len(engine.scored) + len(engine.requests))


async def test_a_span_is_scored_by_every_arm():
    engine = ScoringEngine()
    told: list[tuple[int, int]] = []
    first, second = await score(
        engine, SPANS[:2], ARMS, BUDGET, end=END, progress=lambda *count: told.append(count)
    )
    assert (first.span, first.tokens) == (SPANS[0], 4)
    assert first.nll == {"base": 4.0, "candidate@1": 2.0}
    assert second.span == SPANS[1]
    assert [adapter for _, adapter in engine.scored] == [None, None, "lora", "lora"]
    assert told == [(1, 2), (2, 2)]


async def test_prompts_are_of_the_serving_budget_with_the_spans_snippets():
    engine = ScoringEngine()
    example = replace(
        SPANS[0].example,
        prefix="x = 1\n" * 1000,
        repository="app",
        context=(Snippet("other.py", "def helper(): ..."),),
    )
    await score(engine, [Span(example)], ARMS[:1], BUDGET, end=END)
    ((prompt, _),) = engine.scored
    assert "def helper(): ..." in prompt
    assert 10 <= prompt.count("x = 1") <= 64


async def test_what_cannot_be_scored_is_left_out():
    engine = ScoringEngine()
    odd = [span(1, middle="too long"), Span(FimExample("e", "a", "b", "")), span(2)]
    found = await score(engine, odd, ARMS, BUDGET, end=END)
    # An empty middle is a good question: how likely does it write nothing?
    assert [entry.span for entry in found] == odd[1:]
    written = await generate(engine, odd, ARMS, BUDGET)
    assert [entry.span for entry in written] == odd


async def test_answers_are_greedy_background_work_of_their_own_length():
    engine = ScoringEngine(lambda request: request.adapter or "base", finish="length")
    (found,) = await generate(engine, SPANS[:1], ARMS, BUDGET)
    assert {name: answer.text for name, answer in found.answers.items()} == {
        "base": "base",
        "candidate@1": "lora",
    }
    assert not found.answers["base"].stopped
    request = engine.requests[0]
    assert (request.max_tokens, request.temperature, request.priority) == (96, 0.0, 1)


@pytest.mark.parametrize("ask", [partial(score, end=END), generate])
@pytest.mark.parametrize(
    ("seconds", "spans"), [(0, 0), (1, 0), (7, 3), (8, 4), (19, 9), (70, 35), (101, 50)]
)
async def test_as_many_spans_as_fit_into_the_time(ask, seconds: int, spans: int):
    """Two seconds a span; the first few are asked without knowing that."""
    engine = ScoringEngine()
    within = TimeBudget(seconds, clock_of(engine))
    found = await ask(engine, SPANS, ARMS, BUDGET, within=within)
    assert [entry.span for entry in found] == SPANS[:spans]


@pytest.mark.parametrize("ask", [partial(score, end=END), generate])
async def test_an_engine_that_becomes_slow_does_not_run_over_the_time(ask):
    """As beside a busy user: four spans in 8 s, and then 10 s for every question."""
    engine = ScoringEngine()
    seconds = clock_of(engine)
    found = await ask(
        engine, SPANS, ARMS, BUDGET,
        within=TimeBudget(40, lambda: seconds() + 9 * max(0.0, seconds() - 8)),
    )  # fmt: skip
    assert [entry.span for entry in found] == SPANS[:4]
    assert seconds() == 12


async def test_a_question_that_hangs_ends_with_the_time():
    engine = ScoringEngine()
    engine.blocked.clear()
    clock = Clock()
    asking = asyncio.create_task(
        generate(engine, SPANS, ARMS, BUDGET, within=TimeBudget(30, clock))
    )
    await engine.streaming.wait()
    await asyncio.sleep(0)
    clock.now = 30.0
    assert await asyncio.wait_for(asking, 5) == []
    assert (engine.open_streams, engine.closed_streams) == (0, 1)


async def test_neighbours_that_begin_alike_follow_each_other_under_each_arm():
    engine = ScoringEngine()
    snippets = [Snippet(f"{name}.py", "x = 1\n") for name in "ab"]
    spans = [
        Span(replace(entry.example, context=(snippets[number % 2],)))
        for number, entry in enumerate(SPANS[:20])
    ]
    await score(engine, spans, ARMS, BUDGET, end=END)
    block = engine.scored[8:]  # behind the first few
    assert [adapter for _, adapter in block] == [None] * 16 + ["lora"] * 16
    names = [prompt[: prompt.index(".py")] for prompt, _ in block]
    assert names == ["a"] * 8 + ["b"] * 8 + ["a"] * 8 + ["b"] * 8


async def test_an_engine_that_fails_is_told():
    engine = ScoringEngine(error=EngineUnavailableError("gone"))
    with pytest.raises(EngineUnavailableError, match="gone"):
        await generate(engine, SPANS, ARMS, BUDGET)


def test_every_beginning_is_a_fair_share_of_files_and_kinds():
    spans = [span(n, file="big.py", kind="line") for n in range(80)]
    spans += [span(n, file="big.py", kind="block") for n in range(80, 120)]
    spans += [span(n, file="small.py", kind="line") for n in range(120, 160)]
    order = fair_order(spans, 1)
    assert sorted(order, key=spans.index) == spans
    for part in (16, 40, 80):
        strata = Counter((entry.file, entry.kind) for entry in order[:part])
        assert strata["big.py", "line"] == pytest.approx(part / 2, abs=1)
        assert strata["big.py", "block"] == pytest.approx(part / 4, abs=1)
    assert fair_order(spans, 1) == order
    assert fair_order(spans, 2) != order


def test_of_files_with_one_span_each_the_order_is_drawn():
    spans = [span(n, file=f"{n}.py") for n in range(50)]
    assert fair_order(spans, 1) != spans
    assert set(fair_order(spans, 1)[:10]) != set(fair_order(spans, 2)[:10])


async def test_adapters_are_loaded_for_a_while(tmp_path: Path):
    engine = ScoringEngine()
    adapters = [AdapterAt("a", tmp_path, 0.5), AdapterAt("b", tmp_path, 1.0)]
    async with loaded_arms(engine, adapters) as arms:
        assert [arm.name for arm in arms] == ["base", "a", "b"]
        assert [engine.loaded[arm.adapter][1] for arm in arms[1:]] == [0.5, 1.0]
    assert engine.loaded == {}


async def test_adapters_are_unloaded_when_the_engine_fails():
    engine = ScoringEngine(error=EngineUnavailableError("gone"), logprob=-0.5)
    with pytest.raises(EngineUnavailableError):
        await judge(engine, trial())
    assert engine.loaded == {}


def trial(**changes) -> Trial:
    general = [span(number, file=f"g{number}.py") for number in range(100, 120)]
    limits = Limits(resamples=200)
    whole = Trial(SPANS, general, Path("a.gguf"), 0.75, BUDGET, END, limits=limits)
    return replace(whole, **changes)


async def test_a_trial_that_is_won():
    engine = ScoringEngine(lambda request: "y = 1\n", logprob=-0.5)
    told: list[tuple[str, int, int]] = []
    report = await judge(engine, trial(), lambda *what: told.append(what))
    assert report.verdict == "promoted"
    steps = [("newer code", 50), ("general code", 20), ("answers", 50)]
    assert told == [(step, done, total) for step, total in steps for done in range(1, total + 1)]
    assert report.sweep.spans == 50
    assert (report.sweep.spans, report.sweep.general_spans, report.answers) == (50, 20, 50)
    assert report.sweep.chosen.gain == pytest.approx(0.5)
    assert len(engine.requests) == 100
    assert engine.loaded == {}


async def test_of_a_candidate_that_lost_no_answers_are_asked():
    engine = ScoringEngine(logprob=-1.5)
    report = await judge(engine, trial(current=(Path("old.gguf"), 0.75)))
    assert report.verdict == "rejected"
    assert engine.requests == []
    names = [arm.name for arm in report.sweep.arms]
    assert names == ["base", "current", "candidate@0.75"]


async def test_a_trial_within_its_time():
    engine = ScoringEngine(logprob=-0.5)
    report = await judge(engine, trial(within=TimeBudget(160, clock_of(engine))))
    # 88 s for newer code at 2 s a span, 32 s for general code, and the rest at 2 s an answer.
    assert report.sweep.spans == 44
    assert report.sweep.planned == 50
    assert report.sweep.general_spans == 16
    assert report.verdict == "promoted"
    assert report.answers == 20
    short = await judge(engine, trial(within=TimeBudget(20, clock_of(engine))))
    assert short.verdict == "undecided"
    assert "give the gate more time" in short.reasons[0]
    assert engine.loaded == {}


async def test_time_in_which_nothing_could_be_asked_is_no_want_of_code():
    engine = ScoringEngine()
    report = await judge(engine, trial(within=TimeBudget(0.5, clock_of(engine))))
    assert report.verdict == "undecided"
    assert report.reasons[0].startswith("0 spans of newer code in 0 files are too few")
    assert report.reasons[0].endswith("give the gate more time")


async def test_nothing_to_judge_by():
    report = await judge(ScoringEngine(), trial(newer=(), general=()))
    assert report.verdict == "undecided"
