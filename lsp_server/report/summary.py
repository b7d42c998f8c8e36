"""The report in a few lines, for a terminal; it draws nothing, and so needs nothing that draws."""

from ..store.adapters.manifest import PROMOTED
from .figures import share, signed
from .material import Material


def summary(material: Material) -> list[str]:
    """What serves, how it was judged, and how its suggestions fared."""
    total = material.feedback.total()
    lines = [f"{material.repository}: {material.model} serves, {_who(material)}"]
    if not material.installed:
        lines.append(f"model      not installed: `tenon models pull {material.model}` fetches it")
    promoted = sum(judged.adapter.verdict == PROMOTED for judged in material.adapters)
    lines.append(f"adapters   {len(material.adapters)}, of which {promoted} promoted")
    if material.whose:
        lines.append(f"           those {material.whose}")
    if judged := material.serving:
        lines.append(f"gain       {signed(judged.adapter.gate.gain)} nats per token")
    lines.append(f"runs       {len(material.runs)}")
    if total.acceptance is not None and total.interval is not None:
        low, high = total.interval
        lines.append(
            f"accepted   {total.accepted_shown} of {total.shown} shown, {share(total.acceptance)} "
            f"({share(low)} to {share(high)})"
        )
    else:
        lines.append(f"accepted   {total.accepted}; nothing is known to have been shown yet")
    if (median := total.latency(50)) is not None:
        lines.append(f"latency    {median:.0f} ms, p95 {total.latency(95) or 0:.0f} ms")
    if material.trouble:
        lines.append(f"trouble    {material.trouble}")
    return lines


def _who(material: Material) -> str:
    return f"with the adapter {material.active}" if material.active else "without an adapter"
