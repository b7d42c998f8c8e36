"""A family's own control tokens in another order, to measure which order a model really knows."""

from dataclasses import replace

from lsp_server.errors import SettingsError
from lsp_server.prompt.formats import FimFormat, Order, Part, Segment, Special

OWN = "own"
PLAIN = "plain"
LAYOUTS = (OWN, "spm", "psm", "bare", PLAIN)
"""``own`` is the format as served; ``spm`` and ``psm`` have a middle token at the end; ``bare`` is
suffix-first and runs from the prefix straight into the middle; ``plain`` is the prefix alone."""


def relaid(fim: FimFormat, layout: str) -> FimFormat:
    """``fim`` in another layout; raises ``SettingsError`` if it has not the tokens for it."""
    if layout == OWN:
        return fim
    if layout == PLAIN:
        return replace(fim, layout=(Part.PREFIX,), repository=None, heals_before_middle=False)
    if fim.order is Order.PREFIX_ONLY:
        raise SettingsError(
            f"a model of the format {fim.name} has no tokens for the layout {layout}; "
            f"use --layout {OWN}"
        )
    entries = list(fim.layout)
    prefix, suffix = (_marked(entries, part) for part in (Part.PREFIX, Part.SUFFIX))
    head = tuple(entries[: min(map(entries.index, (prefix[0], suffix[0])))])
    middle = tuple(entries[max(map(entries.index, (prefix[1], suffix[1]))) + 1 :])
    if layout == "bare":
        return replace(fim, layout=(*head, *suffix, *prefix), heals_before_middle=False)
    if not middle:
        raise SettingsError(
            f"the format {fim.name} has no middle token, which the layout {layout} ends in; "
            f"use --layout {OWN}"
        )
    if layout == "spm":
        return replace(fim, layout=(*head, *suffix, *prefix, *middle))
    return replace(fim, layout=(*head, *prefix, *suffix, *middle), heals_before_middle=False)


def _marked(entries: list[Segment | Part], part: Part) -> tuple[Segment | Part, Segment | Part]:
    """A part with the control token that stands before it."""
    at = entries.index(part)
    if at == 0 or not isinstance(entries[at - 1], Special):
        raise SettingsError(f"nothing marks the {part.value} in this format; use --layout {OWN}")
    return entries[at - 1], part
