"""Every filter on its own, over the golden cases of its file."""

import importlib
import tomllib
from pathlib import Path

import pytest

from lsp_server.completion.confidence import Scored
from lsp_server.completion.extent import choose
from lsp_server.completion.filters.draft import Draft
from lsp_server.completion.reasons import Reason
from lsp_server.prompt.formats import QWEN

GOLDEN = Path(__file__).parents[3] / "golden" / "filters"
CASES = [
    (path.stem, case)
    for path in sorted(GOLDEN.glob("*.toml"))
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
]


def draft_of(case) -> Draft:
    before, after = case["document"].split("‸")
    pieces = case.get("pieces") or [[case["answer"]]]
    text, scores = "", []
    for piece, *logprob in pieces:
        text += piece
        scores += [Scored(len(text), *logprob)] if logprob else []
    return Draft(
        text,
        before,
        after,
        choose(before, after, automatic=True),
        max_lines=20,
        path=case.get("path", "a.py"),
        finished=case.get("finished", True),
        stops=QWEN.stops,
        replace=case.get("replaced", 0),
        scores=scores,
        least_confidence=case.get("least"),
    )


@pytest.mark.parametrize(
    ("module", "case"), CASES, ids=[f"{case['filter']}: {case['name']}" for _, case in CASES]
)
def test_golden(module, case):
    apply = getattr(
        importlib.import_module(f"lsp_server.completion.filters.{module}"), case["filter"]
    )
    draft = draft_of(case)
    result = apply(draft)
    if "reason" in case:
        assert result is Reason(case["reason"])
    else:
        assert isinstance(result, Draft)
        assert result.text == case.get("text", draft.text)
        assert result.replace == case.get("replace", draft.replace)
