"""A gate's verdict as a report reads it: leniently, for another Tenon may have written it.

Whoever judges keeps the same figures in ``training.gate.report``.
"""

from pathlib import Path

import msgspec

BASE, CURRENT = "base", "current"


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """Mean NLLs in nats per token; ``scale`` None: the base or the adapter that served."""

    name: str
    scale: float | None = None
    nll: float
    general_nll: float | None = None
    gain: float = 0.0
    lower: float | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate was held to: the most that other code's NLL might rise."""

    general_rise: float = 0.02


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """The likelihoods of all arms over ``spans`` of newer code in ``files``."""

    spans: int = 0
    files: int = 0
    general_spans: int | None = None
    scale: float = 1.0
    limits: Limits = Limits()
    arms: tuple[Arm, ...] = ()

    def arm(self, name: str) -> Arm | None:
        """The base, or the adapter that served before."""
        return next((arm for arm in self.arms if arm.name == name), None)

    @property
    def chosen(self) -> Arm | None:
        """The candidate at the scale that it would serve at."""
        tried = (arm for arm in self.arms if arm.name not in {BASE, CURRENT})
        return next((arm for arm in tried if arm.scale == self.scale), None)


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """A share of generated answers, before and with the candidate."""

    name: str
    baseline: float
    candidate: float
    passed: bool = True


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """What ``gate.json`` says."""

    verdict: str = ""
    reasons: tuple[str, ...] = ()
    sweep: Sweep | None = None
    answers: int = 0
    guards: tuple[Guard, ...] = ()


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of figure: of the base (or of what served) before, and of the adapter after.

    ``tone`` is "good" or "bad" where the change counts for or against the adapter, else "".
    """

    kind: str
    before: float
    after: float
    is_share: bool
    tone: str = ""

    @property
    def change(self) -> float:
        """In nats per token, or in points of a hundred."""
        return (self.after - self.before) * (100 if self.is_share else 1)


def read_gate(path: Path) -> Gate | None:
    """None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Gate)
    except (OSError, msgspec.DecodeError):
        return None


def comparisons(gate: Gate) -> list[Comparison]:
    """Base against adapter, kind by kind."""
    found: list[Comparison] = []
    base = gate.sweep.arm(BASE) if gate.sweep else None
    chosen = gate.sweep.chosen if gate.sweep else None
    if gate.sweep and base and chosen:
        fall = base.nll - chosen.nll
        tone = "good" if fall > 0 else "bad" if fall < 0 else ""
        found.append(_nll("newer code, nats per token", base.nll, chosen.nll, tone))
        if base.general_nll is not None and chosen.general_nll is not None:
            worse = chosen.general_nll - base.general_nll > gate.sweep.limits.general_rise
            kind, tone = "other code, nats per token", "bad" if worse else ""
            found.append(_nll(kind, base.general_nll, chosen.general_nll, tone))
    for guard in gate.guards:
        better = guard.candidate > guard.baseline
        found.append(
            Comparison(
                kind=f"answers: {guard.name}",
                before=guard.baseline,
                after=guard.candidate,
                is_share=True,
                tone="bad" if not guard.passed else "good" if better else "",
            )
        )
    return found


def _nll(kind: str, before: float, after: float, tone: str) -> Comparison:
    return Comparison(kind=kind, before=before, after=after, is_share=False, tone=tone)
