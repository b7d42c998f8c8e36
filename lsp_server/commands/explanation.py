"""An explanation for a terminal: what was sent, by colour, and what became of the answer."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..completion.trace import stages
from ..protocol import Explanation

STYLES = {
    "token": "bold magenta",
    "path": "cyan",
    "snippet": "green",
    "prefix": "",
    "suffix": "dim",
}


def print_explanation(why: Explanation) -> None:
    """Facts, stages, the prompt, and what the model wrote, on standard output."""
    parts: list[Text | Table] = [Text(why.sentence, style="bold"), _facts(why)]
    if why.segments:
        parts += [_heading("the prompt"), _legend(), _prompt(why)]
    if why.raw:
        parts += [_heading("what the model wrote"), Text(why.raw)]
    if why.text:
        parts += [_heading("what is shown of it"), Text(why.text)]
    Console(highlight=False, soft_wrap=True).print(*parts, sep="\n")


def _facts(why: Explanation) -> Table:
    table = Table.grid(padding=(0, 2))
    facts = {
        "place": f"{why.path}:{why.line}",
        "reason": why.reason,
        "answered by": why.answered_by,
        "model": why.model,
        "adapter": why.adapter or ("none, the base alone" if why.model else ""),
        "milliseconds": ", ".join(
            f"{name} {value:.1f}" for name, value in stages(why.timings).items()
        ),
        "other files": "\n".join(why.snippets),
        "filters": "\n".join(why.filters),
    }
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="dim"), Text(value))
    return table


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _legend() -> Text:
    legend = Text()
    for kind, style in STYLES.items():
        legend.append(kind, style=style).append(" ")
    return legend


def _prompt(why: Explanation) -> Text:
    prompt = Text()
    for segment in why.segments:
        prompt.append(segment.text, style=STYLES[segment.kind])
    return prompt
