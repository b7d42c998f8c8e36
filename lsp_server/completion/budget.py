"""How long a prompt and an answer may be on this machine. Pure.

The first request in a file reads the whole window; later ones read what was typed since, because
the window's edges are anchored and the engine keeps its KV cache. So the window may cost several
keystrokes' worth of time once, while the answer is paid for at every keystroke.
"""

from ..prompt.formats import Order
from ..prompt.window import Budget
from .engine import EngineInfo

COLD_START = 4
"""Keystroke targets that the first request in a file may take."""
PREFILL_SHARE = 0.6
"""Part of that time for reading the prompt; the rest decodes and travels."""
SUFFIX_SHARE = 0.2
MARGIN = 64
"""Tokens kept free for control tokens, file headers and estimates that were too low."""
UNKNOWN_PREFILL = 1500.0
UNKNOWN_DECODE = 50.0
UNKNOWN_CONTEXT = 4096
"""For an engine that does not tell, such as a remote one."""

PREFIX = (128, 3072)
SUFFIX = (32, 1024)
OUTPUT = (16, 256)
PREFIX_GRAIN, SUFFIX_GRAIN = 128, 32
"""Budgets move in steps: a speed measured again would otherwise move every window's edge."""


def budget_for(info: EngineInfo, target_ms: float) -> Budget:
    """Tokens of prefix, suffix and answer for a latency target per keystroke, in milliseconds."""
    allowance = COLD_START * PREFILL_SHARE * target_ms / 1000
    prompt = allowance * (info.prefill_speed or UNKNOWN_PREFILL)
    suffixed = info.fim.order is not Order.PREFIX_ONLY
    suffix = _clamp(prompt * SUFFIX_SHARE, SUFFIX) if suffixed else 0
    prefix = _clamp(prompt * (1 - SUFFIX_SHARE if suffixed else 1), PREFIX)
    output = _clamp((info.decode_speed or UNKNOWN_DECODE) * target_ms / 1000, OUTPUT)

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
