"""What forgetting is measured on."""

import gzip
import json
from pathlib import Path

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.formats import FimFormat
from lsp_server.prompt.window import Budget
from training.data.samples import Sample, Tokenizer, fim_sample

INFILLING = (
    Path(__import__("os").environ.get("TENON_BENCH", "../shared/bench")) / "humaneval_infilling"
)


def humaneval(fim: FimFormat, budget: Budget, tokenizer: Tokenizer, end: int) -> list[Sample]:
    """HumanEval-Infilling, single line."""
    (path,) = INFILLING.glob("*ingle*")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        fim_sample(
            Source(row["prompt"], row["suffix"]), row["canonical_solution"], fim, budget, tokenizer,
            end=end, heal=True,
        )
        for row in rows
    ]  # fmt: skip
