"""What forgetting is measured on: HumanEval-Infilling, single lines."""

import gzip
import json
from pathlib import Path

from lsp_server.prompt.assemble import Source
from training.data.samples import Sample
from training.data.terms import Terms

NAME = "humaneval-infilling"


def questions(folder: Path, terms: Terms) -> list[Sample]:
    """The data set's rows as prompts and truths."""
    (path,) = (folder / "humaneval_infilling").glob("*SingleLine*")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        terms.sample(Source(row["prompt"], row["suffix"]), row["canonical_solution"])
        for row in rows
    ]
