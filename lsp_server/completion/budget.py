"""How long a prompt and an answer may be on this machine. Pure.

The engine keeps its KV cache up to the first token that differs. The window's edges are anchored,
so what stands before the cursor's text is read once, and then only what was typed. What stands
*behind* it in the prompt is read again with every key: in the order prefix, suffix, middle that is
the whole suffix; with the suffix first it is nothing. So the prefix, and a suffix that comes first,
may cost several keystrokes' worth of time once, while a suffix that comes second has to share every
keystroke's time with the answer. Snippets of other files stand first and are made to stay
(:mod:`lsp_server.prompt.snippets`), so they are read once like the prefix, and share its time.
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
SNIPPET_SHARE = 0.3
"""Of the first request's time, for other files, where the family has a layout for them."""
MARGIN = 64
"""Tokens kept free for control tokens, file headers and estimates that were too low."""
UNKNOWN_PREFILL = 1500.0
UNKNOWN_DECODE = 50.0
UNKNOWN_CONTEXT = 4096
"""For an engine that does not tell, such as a remote one."""

PREFIX = (128, 3072)
SUFFIX = (16, 1024)
OUTPUT = (8, 256)
SNIPPETS = (96, 1024)
"""Fewer tokens than these hold no definition worth its place, and count as none."""
PREFIX_FIRST = 160
"""Tokens before the cursor that come before any of another file."""
PREFIX_GRAIN, SUFFIX_GRAIN, SNIPPET_GRAIN = 128, 32, 32
"""Budgets move in steps: a speed measured again would otherwise move every window's edge."""


def budget_for(info: EngineInfo, target_ms: float, *, files: bool = True) -> Budget:
    """Tokens of prefix, suffix, snippets and answer for a target per keystroke, in milliseconds.

    ``files`` says whether there are other files to show; if not, the prefix has their share.
    """
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
    snippets = 0
    if files and _shows_files(info):
        snippets = min(int(once * SNIPPET_SHARE), SNIPPETS[1])
        if snippets < SNIPPETS[0] or once - suffix - snippets < PREFIX_FIRST:
            snippets = 0
    prefix = _clamp(once - suffix - snippets, PREFIX)
    output = _clamp((info.decode_speed or UNKNOWN_DECODE) * answering, OUTPUT)

    room = max((info.context or UNKNOWN_CONTEXT) - MARGIN, 2)
    output = min(output, max(room // 4, 1))
    scale = min(1.0, (room - output) / (prefix + suffix + snippets))
    snippets = _floor(snippets * scale, SNIPPET_GRAIN)
    return Budget(
        prefix=max(_floor(prefix * scale, PREFIX_GRAIN), 1),
        suffix=_floor(suffix * scale, SUFFIX_GRAIN),
        output=output,
        snippets=snippets if snippets >= SNIPPETS[0] else 0,
    )


def steady(old: Budget | None, new: Budget) -> Budget:
    """``old``, unless ``new`` differs by more than a quarter.

    An engine measures its speed all the time, and every change of the budget moves the window's
    edges and costs a whole prompt.
    """
    if old is None or abs(new.prefix - old.prefix) * 4 > old.prefix:
        return new
    fits = abs(new.output - old.output) * 4 <= old.output and (old.suffix > 0) == (new.suffix > 0)
    return old if fits and (old.snippets > 0) == (new.snippets > 0) else new


def _shows_files(info: EngineInfo) -> bool:
    """Whether the family was trained with other files before the one that is completed."""
    return info.fim.repository is not None and bool(info.fim.repository.file)


def _clamp(value: float, limits: tuple[int, int]) -> int:
    return int(min(max(value, limits[0]), limits[1]))


def _floor(value: float, grain: int) -> int:
    """Down to a multiple of ``grain``; as it is where it is less than one."""
    whole = int(value)
    return whole // grain * grain or whole
