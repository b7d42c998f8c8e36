"""What the gate is told and what it finds, as it is kept in ``gate.json``."""

from typing import Literal

import msgspec

from lsp_server.store.adapters.manifest import GateSummary

BASE, CURRENT, CANDIDATE = "base", "current", "candidate"
HOLES, STRETCHES = "holes", "stretches"
"""How newer code was asked: scattered, as until November 2026, or as it is typed."""
Baseline = Literal["base", "current"]
Verdict = Literal["promoted", "rejected", "undecided"]


def arm_name(scale: float) -> str:
    """What the candidate at a scale is called."""
    return f"{CANDIDATE}@{scale:g}"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a candidate is held to.

    ``spans`` and ``files`` (of newer code, and of answers), ``general`` (spans) and ``answers`` are
    the fewest that can be judged. ``general_rise`` is the most that general code's NLL may rise
    over the base's, in nats per token, ``stop_fall`` what the share of answers which end by
    themselves may fall in any case.
    """

    spans: int = 30
    files: int = 5
    general: int = 30
    answers: int = 15
    general_rise: float = 0.02
    stop_fall: float = 0.05
    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0


class ArmFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Means over spans, in nats per token.

    ``gain`` is how far the NLL lies below the baseline's, ``lower`` what it lies above with
    confidence against base and current alike (None: too few files to say). ``general_rise`` is
    over the base.
    """

    name: str
    scale: float | None
    nll: float
    general_nll: float | None
    gain: float = 0.0
    lower: float | None = None
    general_rise: float = 0.0


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """The likelihoods of all arms, and the scale that is to be served if any.

    ``planned`` is how many spans of newer code there were, ``spans`` how many were scored in time,
    ``general_spans`` how many of general code (None: there is no such code to compare on).
    """

    spans: int
    files: int
    planned: int
    general_spans: int | None
    baseline: Baseline
    scale: float
    arms: tuple[ArmFigures, ...]
    limits: Limits

    @property
    def chosen(self) -> ArmFigures:
        """The candidate at the chosen scale."""
        return next(arm for arm in self.arms if arm.name == arm_name(self.scale))

    @property
    def enough(self) -> bool:
        return self.spans >= self.limits.spans and self.files >= self.limits.files

    @property
    def enough_general(self) -> bool:
        return self.general_spans is None or self.general_spans >= self.limits.general

    @property
    def won(self) -> bool:
        """Whether it is worth while to generate answers: nothing but they can stop it now."""
        lower, rise = self.chosen.lower, self.chosen.general_rise
        certain = lower is not None and lower > 0
        enough = self.enough and self.enough_general
        return enough and certain and rise <= self.limits.general_rise


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of generated answers; ``upper`` is what the change lies below with confidence."""

    name: str
    baseline: float
    candidate: float
    upper: float | None
    passed: bool


class GateReport(msgspec.Struct, frozen=True, kw_only=True):
    """What ``gate.json`` says. ``reasons`` are plain sentences, the deciding one first;
    ``least_confidence`` is as in the adapter's manifest. ``asked`` says how it was asked: figures
    of one way are not to be compared with those of another.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    sweep: Sweep | None
    answers: int
    guards: tuple[Guard, ...]
    least_confidence: float | None = None
    asked: str = HOLES

    @property
    def promoted(self) -> bool:
        return self.verdict == "promoted"

    @property
    def summary(self) -> GateSummary:
        """For the adapter's manifest."""
        sweep = self.sweep
        return GateSummary(
            gain=sweep.chosen.gain if sweep else 0.0,
            lower=sweep.chosen.lower if sweep else None,
            spans=sweep.spans if sweep else 0,
            reason=self.reasons[0],
        )
