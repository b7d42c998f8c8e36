"""A candidate's trial: what the engine says about it, and the gate's verdict on that."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from lsp_server.engine.client import HttpEngine
from lsp_server.prompt.window import Budget

from ..evaluation.examples import FimExample
from ..evaluation.metrics import Answer, edit_similarity, exact, exact_first_line
from ..evaluation.stretches import Stretch
from .calibration import least_confidence
from .gate import AnswerFigures, PairedAnswers, PairedNll, decide, sweep_scales
from .report import BASE, CURRENT, GateReport, Limits, arm_name
from .scoring import (
    AdapterAt,
    SpanAnswers,
    SpanScores,
    generate,
    loaded_arms,
    score,
)
from .timing import NO_END, TimeBudget

NEWER, GENERAL, ANSWERS = "newer code", "general code", "answers"
"""The steps of a trial."""
NEWER_SHARE, GENERAL_SHARE = 0.5, 0.2
"""Of the time, for the likelihoods; what is left is for answers."""
ANSWERED = 4
"""Of a stretch, the last lines that answers are generated to: each tells the less, the more there
are of one file, and only behind the last of them does an answer end."""
Told = Callable[[str, int, int], None]
"""Called with (step, spans done, spans in all) after each span."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What is judged, and by what.

    ``newer`` are stretches of code that is younger than what was trained on, ``general`` ones of
    other code (none: what it forgets is not asked), each in the order in which they are asked.
    ``scale`` is what the candidate is tried at, and would serve at. ``budget`` is what prompts are
    cut to when it serves, ``end`` the token that was taught to end an answer. ``current`` is the
    adapter that serves and its scale, if there is one.
    ``within`` is for all of it.
    """

    newer: Sequence[Stretch]
    general: Sequence[Stretch]
    candidate: Path
    scale: float
    budget: Budget
    end: int
    current: tuple[Path, float] | None = None
    limits: Limits = field(default_factory=Limits)
    within: TimeBudget = NO_END


async def judge(engine: HttpEngine, trial: Trial, progress: Told | None = None) -> GateReport:
    """Score, and generate answers if it is worth while.

    The engine must serve the base that the candidate was trained over. Raises ``EngineError``.
    """
    started = trial.within.clock()
    adapters = [AdapterAt(arm_name(trial.scale), trial.candidate, trial.scale)]
    if trial.current is not None:
        adapters.insert(0, AdapterAt(CURRENT, *trial.current))
    planned = sum(map(len, trial.newer))
    async with loaded_arms(engine, adapters) as arms:

        async def scored(asked: Sequence[Stretch], step: str, share: float) -> list[SpanScores]:
            within, told = _part(trial, share), partial(progress, step) if progress else None
            return await score(
                engine, asked, arms, trial.budget, end=trial.end, within=within, progress=told
            )

        of_newer = await scored(trial.newer, NEWER, NEWER_SHARE)
        of_general = await scored(trial.general, GENERAL, GENERAL_SHARE)
        sweep = sweep_scales(
            paired_nll(of_newer, trial.scale),
            paired_nll(of_general, trial.scale) if trial.general else None,
            trial.limits,
            planned=planned,
        )
        if sweep is None or not sweep.won:
            return decide(sweep, None, trial.limits, planned=planned)
        pair = (sweep.baseline, arm_name(sweep.scale))
        answers = await generate(
            engine,
            [stretch[-ANSWERED:] for stretch in trial.newer],
            [arm for name in pair for arm in arms if arm.name == name],
            trial.budget,
            within=_rest(trial, started),
            progress=partial(progress, ANSWERS) if progress else None,
        )
    report = decide(sweep, paired_answers(answers, *pair), trial.limits)
    least = least_confidence(_judged(entry, pair[1]) for entry in answers)
    return msgspec.structs.replace(report, least_confidence=least)


def paired_nll(scores: Sequence[SpanScores], scale: float) -> PairedNll:
    """What was scored of the candidate at a scale, as the gate takes it."""

    def sums(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.array([entry.nll[name] for entry in scores], dtype=np.float64)

    has_current = bool(scores) and CURRENT in scores[0].nll
    return PairedNll(
        files=[entry.example.file for entry in scores],
        tokens=np.array([entry.tokens for entry in scores], dtype=np.int64),
        base=sums(BASE),
        candidates={scale: sums(arm_name(scale))},
        current=sums(CURRENT) if has_current else None,
    )


def paired_answers(answers: Sequence[SpanAnswers], baseline: str, candidate: str) -> PairedAnswers:
    """What was generated, as the gate takes it: exact is of whole answers, or of their first line
    where more follows, similarity of their first lines with text; stopped of whole answers alone.
    """

    def figures(name: str) -> AnswerFigures:
        rows = [_worth(entry.answers[name], entry.example) for entry in answers]
        table = np.array(rows, dtype=np.float64).reshape(len(rows), 3)
        return AnswerFigures(table[:, 0], table[:, 1], table[:, 2])

    files = [entry.example.file for entry in answers]
    return PairedAnswers(files, figures(baseline), figures(candidate))


def _judged(entry: SpanAnswers, arm: str) -> tuple[float | None, bool]:
    answer = entry.answers[arm]
    return answer.confidence, exact_first_line(answer.text, entry.example.middle)


def _worth(answer: Answer, example: FimExample) -> tuple[float, float, float]:
    is_right = (exact_first_line if example.followed_by else exact)(answer.text, example.middle)
    similarity = edit_similarity(answer.text, example.middle)
    stopped = np.nan if example.followed_by else float(bool(answer.stopped))
    return (float(is_right), similarity, stopped)


def _part(trial: Trial, share: float) -> TimeBudget:
    seconds = trial.within.seconds
    return trial.within if seconds is None else replace(trial.within, seconds=share * seconds)


def _rest(trial: Trial, started: float) -> TimeBudget:
    """What was not used up; what ran over is nobody's."""
    within = trial.within
    if within.seconds is None:
        return within
    return replace(within, seconds=within.seconds - (within.clock() - started))
