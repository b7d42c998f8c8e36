"""How long a prompt and an answer may be on this machine. Pure.

The engine keeps its KV cache up to the first token that differs. The window's edges are anchored,
so what stands before the cursor's text is read once, and then only what was typed. What stands
*behind* it in the prompt is read again with every key: in the order prefix, suffix, middle that is
the whole suffix; with the suffix first it is nothing. So the prefix, and a suffix that comes first,
may cost several keystrokes' worth of time once, while a suffix that comes second has to share every
keystroke's time with the answer.
"""

from ..prompt.formats import Order
from ..prompt.window import Budget
from .engine import EngineInfo

COLD_START = 4
"""Keystroke targets that the first request in a file may take."""
PREFILL_SHARE = 0.6
"""Part of that time for reading the prompt; the rest decodes and travels."""
SUFFIX_SHARE = 0.2
"""Of that, for a suffix that is read once."""
SUFFIX_SHARE_PER_KEY = 0.25
"""Of a keystroke's target, for a suffix that every key has the engine read again."""
MARGIN = 64
"""Tokens kept free for control tokens, file headers and estimates that were too low."""
UNKNOWN_PREFILL = 1500.0
UNKNOWN_DECODE = 50.0
UNKNOWN_CONTEXT = 4096
"""For an engine that does not tell, such as a remote one."""

PREFIX = (128, 3072)
SUFFIX = (16, 1024)
OUTPUT = (8, 256)
PREFIX_GRAIN, SUFFIX_GRAIN = 128, 32
"""Budgets move in steps: a speed measured again would otherwise move every window's edge."""


def budget_for(info: EngineInfo, target_ms: float) -> Budget:
    """Tokens of prefix, suffix and answer for a latency target per keystroke, in milliseconds."""
    target = target_ms / 1000
    prefill = info.prefill_speed or UNKNOWN_PREFILL
    order = info.fim.order
    once = COLD_START * PREFILL_SHARE * target * prefill
    suffix, answering = 0, target
    if order is Order.SPM:
        suffix = _clamp(once * SUFFIX_SHARE, SUFFIX)
    elif order is Order.PSM:
        suffix = _clamp(SUFFIX_SHARE_PER_KEY * target * prefill, SUFFIX)
        answering = target - suffix / prefill  # what is left of a keystroke for its answer
    prefix = _clamp(once - suffix, PREFIX)
    output = _clamp((info.decode_speed or UNKNOWN_DECODE) * answering, OUTPUT)

    room = max((info.context or UNKNOWN_CONTEXT) - MARGIN, 2)
    output = min(output, max(room // 4, 1))
    scale = min(1.0, (room - output) / (prefix + suffix))
    return Budget(
        prefix=max(_floor(prefix * scale, PREFIX_GRAIN), 1),
        suffix=_floor(suffix * scale, SUFFIX_GRAIN),
        output=output,
    )


def steady(old: Budget | None, new: Budget) -> Budget:
    """``old``, unless ``new`` differs by more than a quarter.

    An engine measures its speed all the time, and every change of the budget moves the window's
    edges and costs a whole prompt.
    """
    if old is None or abs(new.prefix - old.prefix) * 4 > old.prefix:
        return new
    fits = abs(new.output - old.output) * 4 <= old.output and (old.suffix > 0) == (new.suffix > 0)
    return old if fits else new


def _clamp(value: float, limits: tuple[int, int]) -> int:
    return int(min(max(value, limits[0]), limits[1]))


def _floor(value: float, grain: int) -> int:
    """Down to a multiple of ``grain``; as it is where it is less than one."""
    whole = int(value)
    return whole // grain * grain or whole
