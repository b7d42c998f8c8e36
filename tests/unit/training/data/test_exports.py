"""Four forms for other programs, and what `tenon eval` reads of one of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.errors import SettingsError
from lsp_server.prompt.assemble import Snippet
from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from tests.byte_tokenizer import ByteTokenizer
from training.data.examples import TrainingExample
from training.data.exports import CURSOR, FORMS, Layout, export
from training.data.samples import fim_sample
from training.evaluation import benchmarks
from training.evaluation.formats import Choice

EXAMPLE = TrainingExample(
    id="1/7",
    kind="pair",
    path="src/größe.py",
    repository="shelf",
    language="python",
    before='def größe(self):\n    """How large it is: in metres."""',
    after="\n\n\ndef other():\n    pass\n",
    middle="\n    return self.breite * self.höhe  # 🙂",
    snippets=(Snippet("src/base.py", "class Base:\n    breite = 1\n"),),
)
TOKENIZER = ByteTokenizer()
LAYOUT = Layout(FORMATS["tenon-starter"], Budget(400, 200, 64), TOKENIZER.count)


def exported(tmp_path: Path, form: str, *examples: TrainingExample) -> list[dict]:
    path = tmp_path / "out.jsonl"
    assert export(examples, path, form, LAYOUT).written == len(examples)
    data = path.read_bytes()
    assert b"\r" not in data
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.decode("utf-8").splitlines()]


def test_fim_is_what_tenon_eval_reads(tmp_path: Path):
    exported(tmp_path, "fim", EXAMPLE, replace(EXAMPLE, id="1/8", snippets=()))
    found = benchmarks.read(tmp_path / "out.jsonl", Choice())
    assert found.format == "tenon"
    first, second = found.examples
    assert (first.id, second.id) == ("1/7", "1/8")
    assert (first.prefix, first.suffix, first.middle) == (
        EXAMPLE.before, EXAMPLE.after, EXAMPLE.middle
    )  # fmt: skip
    assert (first.path, first.repository, first.language) == ("src/größe.py", "shelf", "python")
    assert (first.context, second.context) == (EXAMPLE.snippets, ())


def test_a_prompt_is_what_a_model_trains_on(tmp_path: Path):
    (row,) = exported(tmp_path, "prompt-completion", EXAMPLE)
    sample = fim_sample(
        EXAMPLE.source, EXAMPLE.middle, LAYOUT.fim, LAYOUT.budget, TOKENIZER,
        end=TOKENIZER.end, heal=False,
    )  # fmt: skip
    assert row["prompt"] == TOKENIZER.spelled(sample.tokens[: sample.answer])
    assert row["completion"] == EXAMPLE.middle
    assert row["prompt"].endswith('metres."""<issue_closed>')


def test_chatml_shows_the_code_around_the_cursor(tmp_path: Path):
    (row,) = exported(tmp_path, "chatml", EXAMPLE)
    system, user, assistant = row["messages"]
    assert [entry["role"] for entry in row["messages"]] == ["system", "user", "assistant"]
    assert CURSOR in system["content"]
    assert EXAMPLE.before + CURSOR + EXAMPLE.after in user["content"]
    assert EXAMPLE.snippets[0].text in user["content"]
    assert assistant["content"] == EXAMPLE.middle


def test_preference_needs_an_answer_that_was_turned_down(tmp_path: Path):
    path = tmp_path / "out.jsonl"
    turned_down = replace(EXAMPLE, rejected="\n    return 1")
    same = replace(EXAMPLE, rejected=EXAMPLE.middle)
    result = export([EXAMPLE, turned_down, EXAMPLE, same], path, "preference", LAYOUT)
    assert result.written == 1
    assert result.left_out == {"no rejected answer": 2, "rejected answer is the chosen one": 1}
    (row,) = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert (row["chosen"], row["rejected"]) == (EXAMPLE.middle, "\n    return 1")
    assert row["prompt"].endswith("<issue_closed>")


@pytest.mark.parametrize("field", ["before", "after", "middle"])
def test_text_that_spells_a_control_token_is_left_out_of_a_prompt(tmp_path: Path, field: str):
    example = replace(EXAMPLE, **{field: "x = '<issue_start>'\n"})
    result = export([example], tmp_path / "out.jsonl", "prompt-completion", LAYOUT)
    assert result.left_out == {"spells a control token": 1}


def test_an_export_that_fails_leaves_the_former_file(tmp_path: Path):
    def examples() -> Iterator[TrainingExample]:
        yield EXAMPLE
        raise KeyboardInterrupt

    exported(tmp_path, "fim", EXAMPLE)
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        export(examples(), tmp_path / "out.jsonl", "chatml", LAYOUT)
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_an_unknown_form_names_the_known_ones(tmp_path: Path):
    with pytest.raises(SettingsError, match="fim, prompt-completion, chatml, preference"):
        export([EXAMPLE], tmp_path / "out.jsonl", "alpaca", LAYOUT)
    assert set(FORMS) == {"fim", "prompt-completion", "chatml", "preference"}
