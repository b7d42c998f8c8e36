import io

import msgspec
import numpy as np
import pytest
from rich.console import Console

from training.gate.gate import AnswerFigures, PairedAnswers, PairedNll, decide, sweep_scales
from training.gate.report import GateReport, Limits
from training.gate.table import as_table

LIMITS = Limits(resamples=1000)
SPANS, FILES = 90, 18
NAMES = [f"f{number % FILES}.py" for number in range(SPANS)]


def nll(
    gains: dict[float, float],
    *,
    seed: int = 1,
    spans: int = SPANS,
    files: int = FILES,
    current: float | None = None,
) -> PairedNll:
    """Spans of 1 to 39 tokens; the candidate gains so much at each scale, give or take."""
    random = np.random.default_rng(seed)
    of = np.arange(spans) % files
    tokens = random.integers(1, 40, spans)
    base = random.gamma(2, 0.5, spans)
    # A file has its own luck, and single spans have heavy tails; scales of one adapter go together.
    luck = random.normal(0, 0.1, files)[of] + 0.3 * random.standard_t(3, spans)
    candidates = {
        scale: (base - gain - scale * luck - random.normal(0, 0.05, spans)) * tokens
        for scale, gain in gains.items()
    }
    serving = None
    if current is not None:
        serving = (base - current - random.normal(0, 0.05, spans)) * tokens
    return PairedNll([f"f{file}.py" for file in of], tokens, base * tokens, candidates, serving)


def same(*, rise: float = 0.0) -> PairedNll:
    tokens = np.full(SPANS, 10)
    base = np.full(SPANS, 12.0)
    candidates = {scale: base + 10 * scale * rise for scale in (0.5, 0.75, 1.0)}
    return PairedNll(NAMES, tokens, base, candidates)


def answers(*, exact: float = 0.5, similarity: float = 0.8, stopped: float = 1.0) -> PairedAnswers:
    """The baseline's are right in half of the spans; the candidate's as told."""
    rank = (np.arange(SPANS) + 0.5) / SPANS

    def figures(exact: float, similarity: float, stopped: float) -> AnswerFigures:
        shuffled = np.random.default_rng(2).permutation(rank)
        return AnswerFigures(
            (shuffled < exact).astype(float),
            np.full(SPANS, similarity),
            (shuffled < stopped).astype(float),
        )

    return PairedAnswers(NAMES, figures(0.5, 0.8, 1.0), figures(exact, similarity, stopped))


BETTER = {0.5: 0.2, 0.75: 0.3, 1.0: 0.1}


def test_a_candidate_that_gains_is_promoted_at_its_best_scale():
    sweep = sweep_scales(nll(BETTER), same(rise=0.01), LIMITS)
    assert sweep.won
    report = decide(sweep, answers(exact=0.6), LIMITS)
    assert report.promoted
    assert sweep.scale == 0.75
    assert sweep.baseline == "base"
    assert 0 < sweep.chosen.lower < sweep.chosen.gain
    assert sweep.chosen.general_rise == pytest.approx(0.0075)
    (reason,) = report.reasons
    assert (
        f"{sweep.chosen.gain:+.3f} nats per token on 90 spans of newer code in 18 files" in reason
    )
    assert f"at least {sweep.chosen.lower:+.3f} with 95 % confidence" in reason
    assert [guard.passed for guard in report.guards] == [True, True, True]
    assert report.summary.lower == sweep.chosen.lower


def test_a_report_outlives_its_file():
    for count in (SPANS, 2, 0):
        sweep = sweep_scales(nll(BETTER, spans=count, files=min(count, 18) or 1), None, LIMITS)
        report = decide(sweep, answers(), LIMITS)
        encoded = msgspec.json.encode(report)
        assert msgspec.json.decode(encoded, type=GateReport) == report


@pytest.mark.parametrize(("files", "spans"), [(6, 40), (15, 60), (40, 200)])
@pytest.mark.parametrize("current", [None, 0.0])
def test_what_is_no_better_is_hardly_ever_promoted(files: int, spans: int, current: float | None):
    """Also with the best of three scales taken: at most 5 %."""
    nothing = dict.fromkeys((0.5, 0.75, 1.0), 0.0)
    limits = Limits(resamples=500)
    runs = 300
    won = sum(
        sweep_scales(
            nll(nothing, seed=seed, spans=spans, files=files, current=current), None, limits
        ).won
        for seed in range(runs)
    )
    assert won <= 0.05 * runs


def test_what_is_better_is_mostly_found():
    gains = dict.fromkeys((0.5, 0.75, 1.0), 0.15)
    won = sum(sweep_scales(nll(gains, seed=seed), None, LIMITS).won for seed in range(40))
    assert won >= 30


def test_a_gain_that_may_be_chance_is_rejected():
    sweep = sweep_scales(nll(dict.fromkeys(BETTER, 0.02)), None, LIMITS)
    report = decide(sweep, None, LIMITS)
    assert report.verdict == "rejected"
    assert report.reasons[0].startswith("no certain gain: +0.")


def test_the_adapter_that_serves_must_be_beaten_too():
    sweep = sweep_scales(nll(BETTER, current=0.5), None, LIMITS)
    assert sweep.baseline == "current"
    report = decide(sweep, None, LIMITS)
    assert report.verdict == "rejected"
    assert "no gain: -0." in report.reasons[0]
    assert "against the adapter that serves" in report.reasons[0]
    weak = sweep_scales(nll(BETTER, current=-0.2), None, LIMITS)
    assert weak.baseline == "base"
    assert weak.won


def test_one_long_span_does_not_decide():
    worse = nll(dict.fromkeys(BETTER, -0.05))
    worse.tokens[0] = 50_000
    for values in (worse.base, *worse.candidates.values()):
        values[0] = 50_000.0
    for values in worse.candidates.values():
        values[0] -= 40_000.0
    # Of all tokens together, the candidate gains most of a nat.
    sums = (worse.base.sum() - worse.candidates[0.75].sum()) / worse.tokens.sum()
    assert sums > 0.7
    assert not sweep_scales(worse, None, LIMITS).won


def test_a_candidate_that_forgets_is_rejected_or_served_at_a_lower_scale():
    everywhere = decide(sweep_scales(nll(BETTER), same(rise=0.1), LIMITS), None, LIMITS)
    assert everywhere.verdict == "rejected"
    assert "+0." in everywhere.reasons[0]
    assert "0.02 is allowed" in everywhere.reasons[0]
    lower = sweep_scales(nll(BETTER), same(rise=0.03), LIMITS)
    assert (lower.scale, lower.won) == (0.5, True)
    lenient = msgspec.structs.replace(LIMITS, general_rise=0.2)
    assert sweep_scales(nll(BETTER), same(rise=0.1), lenient).won


def test_general_code_that_was_not_reached_in_time_is_not_taken_for_kept():
    whole = same()
    cut = PairedNll(
        whole.files[:3],
        whole.tokens[:3],
        whole.base[:3],
        {scale: values[:3] for scale, values in whole.candidates.items()},
    )
    sweep = sweep_scales(nll(BETTER), cut, LIMITS)
    report = decide(sweep, None, LIMITS)
    assert not sweep.won
    assert report.verdict == "undecided"
    assert "only 3 spans of general code" in report.reasons[0]


@pytest.mark.parametrize(
    ("figures", "named"),
    [
        ({"exact": 0.3}, "exact match 50.0% -> 30.0%"),
        ({"similarity": 0.7}, "edit similarity 80.0% -> 70.0%"),
        ({"stopped": 0.9}, "stopped by itself 100.0% -> 90.0%"),
    ],
)
def test_answers_that_got_worse_stop_a_promotion(figures: dict[str, float], named: str):
    sweep = sweep_scales(nll(BETTER), None, LIMITS)
    report = decide(sweep, answers(**figures), LIMITS)
    assert report.verdict == "rejected"
    assert named in report.reasons[0]
    assert [guard.passed for guard in report.guards].count(False) == 1


def test_answers_may_waver():
    sweep = sweep_scales(nll(BETTER), None, LIMITS)
    assert decide(sweep, answers(exact=0.49, stopped=0.96), LIMITS).promoted


def test_too_little_is_undecided_and_says_what_to_do():
    few = sweep_scales(nll(BETTER, spans=12, files=6), None, LIMITS)
    report = decide(few, None, LIMITS)
    assert report.verdict == "undecided"
    assert not report.promoted
    assert "12 spans of newer code in 6 files are too few" in report.reasons[0]
    assert "when there is more newer code" in report.reasons[0]
    cut = sweep_scales(nll(BETTER, spans=12, files=6), None, LIMITS, planned=200)
    assert "give the gate more time" in decide(cut, None, LIMITS).reasons[0]
    one_file = sweep_scales(nll(BETTER, files=2), None, LIMITS)
    assert decide(one_file, None, LIMITS).verdict == "undecided"
    assert decide(None, None, LIMITS).verdict == "undecided"
    unanswered = decide(sweep_scales(nll(BETTER), None, LIMITS), None, LIMITS)
    assert unanswered.verdict == "undecided"
    assert "only 0 generated answers" in unanswered.reasons[0]


def test_two_files_are_never_certain_even_where_they_are_enough():
    limits = msgspec.structs.replace(LIMITS, files=2)
    sweep = sweep_scales(nll(dict.fromkeys(BETTER, 1.0), files=2), None, limits)
    report = decide(sweep, answers(), limits)
    assert report.verdict == "rejected"
    assert "in 2 files, too few to say how certain" in report.reasons[0]
    assert report.summary.lower is None


def test_the_table_shows_arms_guards_and_verdict():
    sweep = sweep_scales(nll(BETTER), same(rise=0.01), LIMITS, planned=200)
    report = decide(sweep, answers(), LIMITS)
    console = Console(width=120, file=io.StringIO())
    console.print(as_table(report))
    console.print(as_table(decide(None, None, LIMITS)))
    shown = console.file.getvalue()
    assert "90 of 200 spans of newer code, 90 of general code" in shown
    assert "candidate@0.75 *" in shown
    assert "exact match" in shown
    assert "promoted: +0." in shown
    assert "undecided: 0 spans" in shown
