"""Which spans are asked, of whom, and when it ends; the engine answers from a script."""

import asyncio
from collections.abc import Iterable
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
from training.evaluation.stretches import Stretch
from training.gate.judge import Trial, judge
from training.gate.report import Limits
from training.gate.scoring import (
    AdapterAt,
    Arm,
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
        self.ends: list[int | str] = []
        self.loaded: dict[str, tuple[Path, float]] = {}

    async def score_answer(self, prompt, answer, *, end, followed_by, adapter=None, **how):
        assert how["priority"] > 0
        if answer.startswith("too long"):
            raise EngineRequestError("too long", param="prompt")
        texts = [entry.text for entry in prompt.segments if isinstance(entry, Text)]
        self.scored.append(("|".join(texts), adapter))
        self.ends.append(followed_by or end)
        return [self.logprob if adapter else -1.0] * 4

    async def load_adapter(self, name, path, *, scale=1.0, replace=False):
        self.loaded[name] = (path, scale)

    async def unload_adapter(self, name):
        del self.loaded[name]


def hole(number: int, *, file: str = "", middle: str = "", followed: str = "") -> FimExample:
    file = file or f"f{number % 7}.py"
    middle = middle or f"y = {number}\n"
    before = f"# {number}\n"
    return FimExample(str(number), before, "z = 1\n", middle, path=file, followed_by=followed)


def alone(holes: Iterable[FimExample]) -> list[Stretch]:
    """Stretches of one hole each."""
    return [(example,) for example in holes]


HOLES = [hole(number) for number in range(50)]
LONG = [
    tuple(hole(5 * n + of, file=f"{n}.py", followed="\n" if of < 4 else "") for of in range(5))
    for n in range(10)
]
"""Stretches of five."""


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def clock_of(engine: ScoringEngine):
    """A second per question."""
    return lambda: float(len(engine.scored) + len(engine.requests))


async def test_a_hole_is_scored_by_every_arm():
    engine = ScoringEngine()
    told: list[tuple[int, int]] = []
    first, second = await score(
        engine, alone(HOLES[:2]), ARMS, BUDGET, end=END, progress=lambda *count: told.append(count)
    )
    assert (first.example, first.tokens) == (HOLES[0], 4)
    assert first.nll == {"base": 4.0, "candidate@1": 2.0}
    assert second.example == HOLES[1]
    assert [adapter for _, adapter in engine.scored] == [None, "lora"] * 2
    assert told == [(1, 2), (2, 2)]


async def test_a_stretch_is_asked_arm_by_arm_and_ends_once():
    engine = ScoringEngine()
    told: list[tuple[int, int]] = []
    found = await score(
        engine, LONG[:2], ARMS, BUDGET, end=END, progress=lambda *count: told.append(count)
    )
    assert [entry.example for entry in found] == [*LONG[0], *LONG[1]]
    assert [adapter for _, adapter in engine.scored] == ([None] * 5 + ["lora"] * 5) * 2
    assert engine.ends == (["\n"] * 4 + [END]) * 4
    assert told == [(done, 10) for done in range(1, 11)]
    await generate(engine, LONG[:1], ARMS, BUDGET)
    assert [request.one_line for request in engine.requests] == ([True] * 4 + [False]) * 2


async def test_prompts_are_of_the_serving_budget_with_the_spans_snippets():
    engine = ScoringEngine()
    example = replace(
        HOLES[0],
        prefix="x = 1\n" * 1000,
        repository="app",
        context=(Snippet("other.py", "def helper(): ..."),),
    )
    await score(engine, [(example,)], ARMS[:1], BUDGET, end=END)
    ((prompt, _),) = engine.scored
    assert "def helper(): ..." in prompt
    assert 10 <= prompt.count("x = 1") <= 64


async def test_what_cannot_be_scored_is_left_out():
    engine = ScoringEngine()
    odd = [hole(1, middle="too long"), FimExample("e", "a", "b", ""), hole(2)]
    found = await score(engine, [odd], ARMS, BUDGET, end=END)
    # An empty middle is a good question: how likely does it write nothing?
    assert [entry.example for entry in found] == odd[1:]
    written = await generate(engine, [odd], ARMS, BUDGET)
    assert [entry.example for entry in written] == odd


async def test_answers_are_greedy_background_work_of_their_own_length():
    engine = ScoringEngine(lambda request: request.adapter or "base", finish="length")
    (found,) = await generate(engine, alone(HOLES[:1]), ARMS, BUDGET)
    assert {name: answer.text for name, answer in found.answers.items()} == {
        "base": "base",
        "candidate@1": "lora",
    }
    assert not found.answers["base"].stopped
    request = engine.requests[0]
    assert (request.max_tokens, request.temperature, request.priority) == (96, 0.0, 1)


@pytest.mark.parametrize("ask", [partial(score, end=END), generate])
@pytest.mark.parametrize(
    ("seconds", "holes"), [(0, 0), (5, 0), (8, 3), (10, 5), (15, 5), (19, 9), (101, 50)]
)
async def test_as_many_as_fit_into_the_time(ask, seconds: int, holes: int):
    """Ten seconds a stretch; of one that is not over, what was asked under all arms is left."""
    engine = ScoringEngine()
    within = TimeBudget(seconds, clock_of(engine))
    found = await ask(engine, LONG, ARMS, BUDGET, within=within)
    assert [entry.example for entry in found] == [each for of in LONG for each in of][:holes]
    assert clock_of(engine)() == min(seconds, 100)


@pytest.mark.parametrize("ask", [partial(score, end=END), generate])
async def test_an_engine_that_becomes_slow_does_not_run_over_the_time(ask):
    """As beside a busy user: eight questions in 8 s, and then 10 s for every one."""
    engine = ScoringEngine()
    seconds = clock_of(engine)
    found = await ask(
        engine, LONG, ARMS, BUDGET,
        within=TimeBudget(40, lambda: seconds() + 9 * max(0.0, seconds() - 8)),
    )  # fmt: skip
    assert [entry.example for entry in found] == list(LONG[0])
    assert seconds() == 12


async def test_a_question_that_hangs_ends_with_the_time():
    engine = ScoringEngine()
    engine.blocked.clear()
    clock = Clock()
    asking = asyncio.create_task(generate(engine, LONG, ARMS, BUDGET, within=TimeBudget(30, clock)))
    await engine.streaming.wait()
    await asyncio.sleep(0)
    clock.now = 30.0
    assert await asyncio.wait_for(asking, 5) == []
    assert (engine.open_streams, engine.closed_streams) == (0, 1)


async def test_an_engine_that_fails_is_told():
    engine = ScoringEngine(error=EngineUnavailableError("gone"))
    with pytest.raises(EngineUnavailableError, match="gone"):
        await generate(engine, LONG, ARMS, BUDGET)


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
    general = [hole(number, file=f"g{number}.py") for number in range(100, 120)]
    limits = Limits(resamples=200, general=10, answers=10)
    whole = Trial(alone(HOLES), alone(general), Path("a.gguf"), 0.75, BUDGET, END, limits=limits)
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


async def test_answers_are_to_the_last_lines_of_each_stretch():
    """Of which all but the last are judged by their line."""
    engine = ScoringEngine(lambda request: "y = 1\n\nmore", logprob=-0.5)
    report = await judge(engine, trial(newer=[(*of[:4], hole(1, file=of[0].path)) for of in LONG]))
    assert report.sweep.spans == 50
    assert report.answers == 4 * 10
    assert len(engine.requests) == 2 * 4 * 10
    exact, similarity, stopped = report.guards
    assert exact.candidate == 1 / 40  # the line y = 1 of the first stretch, and no whole answer
    assert similarity.candidate > 0.7
    assert stopped.candidate == 1.0


class Endless(ScoringEngine):
    """Its adapter ends no answer, though every line."""

    def generate(self, request):
        self.finish = "length" if request.adapter and not request.one_line else "stop"
        return super().generate(request)


async def test_who_ends_no_answer_is_rejected():
    engine = Endless(lambda request: "y = 1\n", logprob=-0.5)
    report = await judge(engine, trial(newer=LONG))
    assert report.verdict == "rejected"
    assert "stopped by itself 100.0% -> 0.0%" in report.reasons[0]


async def test_answers_of_few_files_decide_nothing():
    engine = ScoringEngine(lambda request: "y = 1\n", logprob=-0.5)
    limits = Limits(resamples=200, general=10, answers=10, files=7)
    within = TimeBudget(175, clock_of(engine))  # 87 and 40 for likelihoods, 8 a file for answers
    report = await judge(engine, trial(newer=LONG, limits=limits, within=within))
    assert report.sweep.files == 9
    assert report.verdict == "undecided"
    assert "only generated answers in 6 files came in time" in report.reasons[0]


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
    # 80 s for newer code at 2 s a hole, 32 s for general code, and the rest at 2 s an answer.
    assert report.sweep.spans == 40
    assert report.sweep.planned == 50
    assert report.sweep.general_spans == 16
    assert report.verdict == "promoted"
    assert report.answers == 24
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
