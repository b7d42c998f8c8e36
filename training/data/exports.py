"""Training examples as JSON lines for other programs, in four forms; knows no model.

``fim`` is Tenon's own: `tenon eval` reads it. The others hold the prompt as the serving code lays
it out, cut to the same window.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lsp_server.errors import SettingsError
from lsp_server.prompt.assemble import assemble
from lsp_server.prompt.formats import FimFormat, Special
from lsp_server.prompt.window import Budget, CountTokens, window
from lsp_server.store.paths import replacing

from .examples import TrainingExample

CURSOR = "<cursor/>"
"""Where the answer belongs in a ChatML message."""
SYSTEM = (
    f"You complete source code. Answer with the text that belongs at {CURSOR}, and nothing else."
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """How a prompt is laid out: one family's format, the window's budget, a model's counting."""

    fim: FimFormat
    budget: Budget
    count: CountTokens


@dataclass(frozen=True, slots=True)
class Exported:
    """How many examples were written; ``left_out`` counts the others by reason."""

    written: int
    left_out: dict[str, int]


def fim(example: TrainingExample, _layout: Layout) -> Row:
    """The whole file around the hole, with the other files' pieces."""
    return {
        "id": example.id,
        "kind": example.kind,
        "repository": example.repository,
        "path": example.path,
        "language": example.language,
        "prefix": example.before,
        "suffix": example.after,
        "middle": example.middle,
        "context": [{"path": entry.path, "text": entry.text} for entry in example.snippets],
        "weight": example.weight,
    }


def prompt_completion(example: TrainingExample, layout: Layout) -> Row | str:
    """The prompt's text with its control tokens; the answer ends where its end token would be.

    A tokenizer that reads ``prompt`` must take control tokens for what they are, so an example
    whose own text spells one cannot be written in this form.
    """
    prompt = _prompt(example, layout)
    if prompt is None:
        return "spells a control token"
    return {"prompt": prompt, "completion": example.middle, "weight": example.weight}


def preference(example: TrainingExample, layout: Layout) -> Row | str:
    """The prompt, what stands there now, and the answer that the user turned down."""
    if not example.rejected:
        return "no rejected answer"
    if example.rejected == example.middle:
        return "rejected answer is the chosen one"
    prompt = _prompt(example, layout)
    if prompt is None:
        return "spells a control token"
    return {"prompt": prompt, "chosen": example.middle, "rejected": example.rejected}


def chatml(example: TrainingExample, layout: Layout) -> Row:
    """A conversation: the code around the cursor, and the answer."""
    cut = window(example.before, example.after, layout.budget, layout.count)
    files = [f"File {entry.path}:\n{entry.text}" for entry in example.snippets]
    files.append(f"File {example.path}, to complete:\n{cut.prefix}{CURSOR}{cut.suffix}")
    return {
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": "\n\n".join(files)},
            {"role": "assistant", "content": example.middle},
        ],
        "weight": example.weight,
    }


FORMS: dict[str, Callable[[TrainingExample, Layout], Row | str]] = {
    "fim": fim,
    "prompt-completion": prompt_completion,
    "chatml": chatml,
    "preference": preference,
}
"""By name: an example becomes a row, or the reason why it has none."""


def export(examples: Iterable[TrainingExample], path: Path, form: str, layout: Layout) -> Exported:
    """Write a file of one row an example; a reader sees the former file or the whole new one.

    Raises ``SettingsError`` for an unknown form, ``OSError`` where the file cannot be written.
    """
    if form not in FORMS:
        raise SettingsError(f"there is no form {form!r}; choose one of {', '.join(FORMS)}")
    written, left_out = 0, dict[str, int]()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("wb") as file:
        for example in examples:
            row = FORMS[form](example, layout)
            if isinstance(row, str):
                left_out[row] = left_out.get(row, 0) + 1
                continue
            file.write(msgspec.json.encode(row) + b"\n")
            written += 1
    return Exported(written, left_out)


def _prompt(example: TrainingExample, layout: Layout) -> str | None:
    """The prompt as one text; None if a control token in it could be the user's text."""
    prompt = assemble(example.source, layout.fim, layout.budget, layout.count)
    control = {entry.token for entry in prompt.segments if isinstance(entry, Special)}
    control.update(prompt.stops)
    texts = [entry.text for entry in prompt.segments if not isinstance(entry, Special)]
    texts += [example.middle, example.rejected]
    if any(token in text for token in control for text in texts):
        return None
    return "".join(
        entry.token if isinstance(entry, Special) else entry.text for entry in prompt.segments
    )
