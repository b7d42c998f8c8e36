"""Does a candidate serve? Statistics over what was measured, and the decision; no I/O.

**Primary.** Of each span of newer code (a line, or the rest of one, as it is asked while it is
typed), the NLL per token of its true middle and, unless more follows, of the token that ends it;
the mean over spans of how far it falls. Each span counts alike, for a completion is what the user
sees. The candidate must beat the base *and* the adapter that serves, so it is compared with the
better of them without the choice being a bias.

**Certainty.** The lower end of the bootstrap 95 % interval over files must lie above zero
(:mod:`training.gate.resampling`). A run tries its candidate at one scale, which it has chosen on
code that is not asked here (:mod:`training.running.scale`). Whoever tries several on the same spans
gets bounds that hold for all of them at once (max-t), so that picking the best scale cannot make a
winner out of chance.

**Guards.** General code must not become less likely by more than a limit; generated answers must
not match significantly less often or less well, nor run on where they used to stop. They can only
stop a promotion, so they need no correction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .report import (
    BASE,
    CURRENT,
    STRETCHES,
    ArmFigures,
    GateReport,
    Guard,
    Limits,
    Sweep,
    Verdict,
    arm_name,
)
from .resampling import Bootstrap, Floats

_BASELINES = {BASE: "base model", CURRENT: "adapter that serves"}


@dataclass(frozen=True, slots=True)
class PairedNll:
    """What the same spans cost under every arm.

    ``files`` and ``tokens`` (at least 1) are of each span; ``base``, ``current`` and ``candidates``
    (by scale) are sums of negative log-likelihoods in nats. All of the shape (spans,).
    """

    files: Sequence[str]
    tokens: NDArray[np.int64]
    base: Floats
    candidates: Mapping[float, Floats]
    current: Floats | None = None

    def per_token(self) -> dict[str, Floats]:
        """Nats per token of every span, by :func:`arm_name`."""
        sums = {BASE: self.base}
        if self.current is not None:
            sums[CURRENT] = self.current
        sums |= {arm_name(scale): values for scale, values in self.candidates.items()}
        return {name: values / self.tokens for name, values in sums.items()}


@dataclass(frozen=True, slots=True)
class AnswerFigures:
    """What one arm generated; of the shape (answers,), shares and similarities in 0 … 1;
    ``stopped`` is NaN where an answer was ended for the model.
    """

    exact: Floats
    similarity: Floats
    stopped: Floats


@dataclass(frozen=True, slots=True)
class PairedAnswers:
    """Answers to the same spans by the better of base and current, and by the candidate."""

    files: Sequence[str]
    baseline: AnswerFigures
    candidate: AnswerFigures


def sweep_scales(
    newer: PairedNll,
    general: PairedNll | None,
    limits: Limits,
    planned: int | None = None,
) -> Sweep | None:
    """Compare every scale with what serves, on newer code and on general code.

    ``general`` is None where there is no such code to compare on, ``planned`` how many spans of
    newer code there were. The scale is the one whose bound is highest among those that general
    code can bear, or among all if it bears none. None if not a single span was scored.
    """
    count = len(newer.files)
    if not count:
        return None
    values, scales = newer.per_token(), list(newer.candidates)
    means = {name: float(array.mean()) for name, array in values.items()}
    baselines = [name for name in (BASE, CURRENT) if name in values]
    baseline = min(baselines, key=means.__getitem__)
    candidates = np.stack([values[arm_name(scale)] for scale in scales])
    bootstrap = _bootstrap(limits)
    bounds = [
        bootstrap.simultaneous_lower(newer.files, values[name] - candidates) for name in baselines
    ]
    lower = dict(zip(map(arm_name, scales), np.min([b.lower for b in bounds], axis=0), strict=True))
    of_general = general.per_token() if general is not None and len(general.files) else {}
    costs = {name: float(array.mean()) for name, array in of_general.items()}
    arms = tuple(
        ArmFigures(
            name=name,
            scale=next((scale for scale in scales if arm_name(scale) == name), None),
            nll=means[name],
            general_nll=costs.get(name),
            gain=means[baseline] - means[name],
            lower=float(lower[name]) if np.isfinite(lower.get(name, np.nan)) else None,
            general_rise=costs[name] - costs[BASE] if costs else 0.0,
        )
        for name in values
    )
    tried = [arm for arm in arms if arm.scale is not None]
    bearable = [arm for arm in tried if arm.general_rise <= limits.general_rise]
    best = max(bearable or tried, key=_certainty)
    return Sweep(
        spans=count,
        files=len(set(newer.files)),
        planned=count if planned is None else planned,
        general_spans=None if general is None else len(general.files),
        baseline="current" if baseline == CURRENT else "base",
        scale=best.scale or 0.0,
        arms=arms,
        limits=limits,
    )


def _certainty(arm: ArmFigures) -> tuple[float, float]:
    return (-np.inf if arm.lower is None else arm.lower, arm.gain)


def decide(
    sweep: Sweep | None, answers: PairedAnswers | None, limits: Limits, planned: int = 0
) -> GateReport:
    """The verdict. ``answers`` are asked for only if :attr:`Sweep.won`; ``planned`` is how many
    spans of newer code there were, for where there is no sweep to say so.
    """
    if sweep is None or not sweep.enough:
        return _report("undecided", [_too_few(sweep, limits, planned)], sweep)
    figures = _figures(sweep)
    if sweep.chosen.lower is None or sweep.chosen.lower <= 0:
        reason = "no certain gain" if sweep.chosen.gain > 0 else "no gain"
        return _report("rejected", [f"{reason}: {figures}"], sweep)
    if not sweep.enough_general:
        reason = _short_of(f"{sweep.general_spans} spans of general code", limits.general)
        return _report("undecided", [reason, figures], sweep)
    if sweep.chosen.general_rise > limits.general_rise:
        return _report("rejected", [_forgets(sweep), figures], sweep)
    return _by_answers(sweep, answers, figures)


def _by_answers(sweep: Sweep, answers: PairedAnswers | None, figures: str) -> GateReport:
    """The verdict on a candidate that nothing but its answers can stop."""
    limits = sweep.limits
    count = len(answers.files) if answers is not None else 0
    if answers is None or count < limits.answers:
        reason = _short_of(f"{count} generated answers", limits.answers)
        return _report("undecided", [reason, figures], sweep)
    if (files := len(set(answers.files))) < limits.files:
        reason = _short_of(f"generated answers in {files} files", limits.files)
        return _report("undecided", [reason, figures], sweep)
    guards = _guards(answers, limits)
    failed = [_failure(guard) for guard in guards if not guard.passed]
    verdict: Verdict = "rejected" if failed else "promoted"
    return _report(verdict, [*failed, figures], sweep, count, guards)


def _report(
    verdict: Verdict,
    reasons: Sequence[str],
    sweep: Sweep | None,
    answers: int = 0,
    guards: tuple[Guard, ...] = (),
) -> GateReport:
    return GateReport(
        verdict=verdict,
        reasons=tuple(reasons),
        sweep=sweep,
        answers=answers,
        guards=guards,
        asked=STRETCHES,
    )


def _guards(answers: PairedAnswers, limits: Limits) -> tuple[Guard, ...]:
    old, new = answers.baseline, answers.candidate
    bootstrap = _bootstrap(limits)

    def must_not_fall(name: str, before: Floats, after: Floats, by: float = 0.0) -> Guard:
        told = ~np.isnan(before)
        before, after = before[told], after[told]
        files = [file for file, is_told in zip(answers.files, told, strict=True) if is_told]
        upper = bootstrap.upper(files, after - before)
        fall = float(before.mean() - after.mean())
        return Guard(
            name=name,
            baseline=float(before.mean()),
            candidate=float(after.mean()),
            upper=upper,
            passed=upper >= 0 or fall <= by + 1e-9,
        )

    guards = [
        must_not_fall("exact match", old.exact, new.exact),
        must_not_fall("edit similarity", old.similarity, new.similarity),
    ]
    if not np.isnan(old.stopped).all():
        stops = must_not_fall("stopped by itself", old.stopped, new.stopped, limits.stop_fall)
        guards.append(stops)
    return tuple(guards)


def _figures(sweep: Sweep) -> str:
    chosen, confidence = sweep.chosen, f"{sweep.limits.confidence:.0%}".replace("%", " %")
    bound = "too few to say how certain"
    if chosen.lower is not None:
        bound = f"at least {chosen.lower:+.3f} with {confidence} confidence"
    return (
        f"{chosen.gain:+.3f} nats per token on {sweep.spans} spans of newer code in {sweep.files} "
        f"files, {bound} (scale {sweep.scale:g}, against the {_BASELINES[sweep.baseline]})"
    )


def _forgets(sweep: Sweep) -> str:
    return (
        f"it forgets: general code costs {sweep.chosen.general_rise:+.3f} nats per token more than "
        f"with the base, and {sweep.limits.general_rise:g} is allowed; train fewer steps, or with "
        "more replay"
    )


def _short_of(what: str, needed: int) -> str:
    return f"only {what} came in time, and {needed} are needed; give the gate more time"


def _failure(guard: Guard) -> str:
    return (
        f"its answers are worse, however likely the right ones became: {guard.name} "
        f"{guard.baseline:.1%} -> {guard.candidate:.1%}; train fewer steps"
    )


def _too_few(sweep: Sweep | None, limits: Limits, planned: int) -> str:
    spans, files = (sweep.spans, sweep.files) if sweep else (0, 0)
    planned = sweep.planned if sweep else planned
    cut = planned > spans and planned >= limits.spans
    remedy = "give the gate more time" if cut else "train again when there is more newer code"
    return (
        f"{spans} spans of newer code in {files} files are too few to judge by ({limits.spans} in "
        f"{limits.files} are needed); {remedy}"
    )


def _bootstrap(limits: Limits) -> Bootstrap:
    return Bootstrap(limits.resamples, limits.confidence, limits.seed)
