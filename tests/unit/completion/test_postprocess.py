import tomllib
from pathlib import Path

import pytest

from lsp_server.completion.extent import choose
from lsp_server.completion.postprocess import Draft, Outcome, postprocess
from lsp_server.completion.reasons import Reason
from lsp_server.prompt.formats import QWEN

GOLDEN = Path(__file__).parents[2] / "golden" / "postprocess.toml"
CASES = tomllib.loads(GOLDEN.read_text(encoding="utf-8"))["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_golden(case):
    before, after = case["document"].split("‸")
    draft = Draft(
        case["answer"],
        before,
        after,
        choose(before, after, automatic=True),
        max_lines=20,
        path=case.get("path", ""),
        finished=case.get("finished", True),
        stops=QWEN.stops,
    )
    reason = Reason(case.get("reason", "shown"))
    assert postprocess(draft) == Outcome(case.get("text", ""), reason, case.get("replace", 0))
