"""From a real git repository to samples and questions."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from lsp_server.prompt.formats import FORMATS
from lsp_server.prompt.window import Budget
from lsp_server.store.files import RepositoryFile
from tests.byte_tokenizer import ByteTokenizer
from tests.git_repositories import code, repository
from tests.small_projects import NEWER, source
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training.curation.ledger import Ledger
from training.data.dataset import SampleMix
from training.data.terms import Terms
from training.evaluation.stretches import Stretch
from training.holdout.learnt import learnt_lines
from training.preparation import NothingToLearnError, prepare
from training.prepared import Cut, Known, Prepared, unlearned

TOKENIZER = ByteTokenizer()
TERMS = Terms(
    FORMATS["tenon-starter"], TOKENIZER, Budget(600, 200, 64, snippets=300), TOKENIZER.end
)
LICENCE = (
    "# Copyright 2020 Somebody\n#\n# Licensed under the Apache License, Version 2.0;\n"
    "# you may not use this file except in compliance with the License.\n\n"
)
BLOCK = "def shared(argument):\n    value = first_step(argument)\n    return value\n"
SECRET = "AKIA" + "Q3ZX7PLM2RTYVB4N"
SECRET_LINE = f'ACCESS = connect("{SECRET}")\n'


def prepared(
    root: Path,
    ledger: Ledger | None = None,
    mix: SampleMix | None = None,
    known: Known | None = None,
    *,
    kept: Cut | None = None,
    most: Budget | None = None,
) -> Prepared:
    return prepare(
        root, TERMS, mix or SampleMix(), ledger=ledger or Ledger(), cache=None, known=known,
        kept=kept, most=most,
    )  # fmt: skip


def paths(asked: Iterable[Stretch]) -> set[str]:
    return {example.path for stretch in asked for example in stretch}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Old code with a secret in it, then six newer files, one with the same secret."""
    made = repository(tmp_path_factory.mktemp("prepared") / "project")
    old = {f"old{number}.py": code(f"old{number}", 40) for number in range(12)}
    old["config.py"] = "import os\n\n" + SECRET_LINE + code("config", 40)
    made.commit(old)
    new = {f"new{number}.py": code(f"new{number}", 16) for number in range(6)}
    new["new1.py"] += SECRET_LINE
    made.commit(new)
    return prepared(made.root)


def test_held_out_code_is_in_no_text_that_is_learnt_from(found: Prepared):
    assert set(found.holdout.new) == {f"new{number}.py" for number in range(6)}
    texts = [entry.curated.file.text for entry in found.dataset.repository.files]
    assert len(texts) == 13
    spelled = [TOKENIZER.spelled(found.dataset.sample(number).tokens) for number in range(150)]
    for text in (*texts, *spelled):
        assert not re.search(r"\bnew\d_\d", text)
    assert any("old3_7" in text for text in spelled)


def test_a_block_that_is_held_out_too_is_never_cut_though_a_notice_was_trimmed(tmp_path: Path):
    for number in range(20):
        text = LICENCE + code(f"file{number}", 12) + "\n\n" + BLOCK
        (tmp_path / f"file{number}.py").write_text(text)
    found = prepared(tmp_path)
    files = found.dataset.repository.files
    assert 15 <= len(files) < 20
    for file in files:
        text = file.curated.file.text
        assert text.startswith("def file")
        assert [text[start:end] + "\n" for start, end in file.closed] == [BLOCK]


def test_what_chooses_the_checkpoint_is_none_of_the_gates(found: Prepared):
    asked = paths(found.newer)
    assert len(asked) == 4
    validating = set(found.holdout.new) - asked
    assert found.validation
    for sample in found.validation:
        prompt = TOKENIZER.spelled(sample.tokens)
        assert any(path in prompt for path in validating)
        assert not any(f"<file_sep>{path}\n<issue" in prompt for path in asked)
    assert {"midline", "body"} <= {hole.partition("/")[0] for hole in found.choosing}


def test_no_sample_and_no_answer_holds_a_secret(found: Prepared):
    asked = [example for stretch in found.newer for example in stretch]
    assert not any(SECRET in example.middle for example in asked)
    for example in asked:
        assert not any(SECRET in snippet.text for snippet in example.context)
    for number in range(300):
        example = found.dataset.example(number)
        whole = example.before + example.middle + example.after
        assert SECRET not in whole
        assert not any(SECRET in snippet.text for snippet in example.snippets)


def test_only_control_tokens_of_the_prompt_are_never_learnt(found: Prepared):
    tokens = {TOKENIZER.spelled([number]) for number in unlearned(found.dataset)}
    assert tokens == {"<issue_comment>", "<issue_start>", "<issue_closed>", "<repo_name>",
                      "<file_sep>"}  # fmt: skip


def test_material_is_told_apart_by_base_data_and_mix(found: Prepared, tmp_path: Path):
    one = found.material("a" * 64)
    assert one.identity == found.material("a" * 64).identity
    assert one.identity != found.material("b" * 64).identity
    assert one.heldout == found.validation
    assert next(iter(one.samples(3, 1))) == found.dataset.sample(3)
    (tmp_path / "a.py").write_text(code("alone", 30))
    few = prepared(tmp_path)
    other = prepared(tmp_path, mix=SampleMix(replay=0.1))
    assert few.data_sha256 == other.data_sha256 != found.data_sha256
    assert few.material("").identity != other.material("").identity


def test_a_single_file_is_learnt_and_nothing_is_asked(tmp_path: Path):
    (tmp_path / "a.py").write_text(code("alone", 30))
    few = prepared(tmp_path)
    assert few.holdout.split == "nothing"
    assert few.newer == ()
    assert few.validation == ()
    assert few.commit is None
    assert few.dataset.pass_size >= 1


def test_with_few_new_files_all_of_them_are_the_gates(tmp_path: Path):
    made = repository(tmp_path / "project")
    made.commit({f"old{number}.py": code(f"old{number}", 40) for number in range(8)})
    made.commit({f"new{number}.py": code(f"new{number}", 30) for number in range(2)})
    few = prepared(made.root)
    assert few.validation == ()
    assert paths(few.newer) == {"new0.py", "new1.py"}


def test_nothing_to_learn_says_why(tmp_path: Path):
    (tmp_path / "notes.md").write_text("# Nothing here\n")
    (tmp_path / "broken.py").write_bytes(b"\xff\xfe\x00")
    with Ledger() as ledger, pytest.raises(NothingToLearnError) as raised:
        prepared(tmp_path, ledger)
    said = str(raised.value)
    assert str(tmp_path) in said
    assert "no code (1, such as notes.md)" in said
    assert "give the folder of a repository" in said


def test_a_damaged_history_is_as_good_as_none(tmp_path: Path):
    made = repository(tmp_path / "project")
    for name in NEWER:
        made.commit({name: source(name)})
    for path in (made.root / ".git" / "objects").rglob("*"):
        if path.is_file() and path.parent.name != "pack":
            path.chmod(0o644)
            path.write_bytes(b"")
    assert prepared(made.root).dataset.repository.files


def grown(root: Path) -> tuple[Prepared, Prepared]:
    """A repository when an adapter was trained, and after it grew; the adapter would be started
    from.
    """
    made = repository(root)
    made.commit({f"old{number}.py": code(f"old{number}", 40) for number in range(12)})
    made.commit({f"new{number}.py": code(f"new{number}", 16) for number in range(6)})
    before = prepared(made.root)
    made.commit({f"late{number}.py": code(f"late{number}", 16) for number in range(6)})
    known = Known(learnt_lines(before.holdout.training), started=True)
    return before, prepared(made.root, known=known)


def test_a_run_that_starts_from_an_adapter_asks_nothing_that_it_has_read(tmp_path: Path):
    before, after = grown(tmp_path / "project")
    assert after.unseen
    assert not before.unseen  # nobody knows
    read = {file.path for file in before.holdout.training}
    asked = paths(after.newer) | set(after.holdout.new)
    assert asked
    assert not asked & read
    assert after.holdout.lines > 0
    again = learnt_lines(before.holdout.training)
    for path, spans in after.holdout.new.items():
        text = after.holdout.files[path].text
        for start, end in spans:
            lines = [line for line in text[start:end].split("\n") if len(line.strip()) > 12]
            for line in lines:
                file = file_of(line)
                assert not set(learnt_lines([file]).tolist()) & set(again.tolist())


def file_of(text: str) -> RepositoryFile:
    return RepositoryFile("a.py", "python", text, "", 0.0)


def test_files_that_are_new_to_the_adapter_are_drawn_more_often_and_old_ones_again(tmp_path: Path):
    _, after = grown(tmp_path / "project")
    weights = {it.curated.file.path: it.weight for it in after.dataset.repository.files}
    new = [weight for path, weight in weights.items() if path.startswith("new")]
    old = [weight for path, weight in weights.items() if path.startswith("old")]
    assert new
    assert len(old) == 12
    assert min(old) > 0
    assert min(new) > 2 * max(old)


def test_an_adapter_that_has_read_what_is_held_out_is_not_started_from(tmp_path: Path):
    made = repository(tmp_path / "project")
    made.commit({f"old{number}.py": code(f"old{number}", 40) for number in range(12)})
    made.commit({f"new{number}.py": code(f"new{number}", 16) for number in range(6)})
    plain = prepared(made.root)
    everything = Known(learnt_lines(plain.holdout.files.values()), started=True)
    found = prepared(made.root, known=everything)
    assert not found.unseen
    # The gate asks nothing rather than what one of the two knows by heart.
    assert plain.newer
    assert (found.newer, found.validation, found.holdout.lines) == ((), (), 0)
    weights = [it.weight for it in found.dataset.repository.files]
    assert weights == [it.weight for it in plain.dataset.repository.files]


def test_where_most_was_read_the_gate_asks_the_rest(tmp_path: Path):
    made = repository(tmp_path / "project")
    made.commit({f"old{number}.py": code(f"old{number}", 40) for number in range(12)})
    made.commit({f"new{number}.py": code(f"new{number}", 16) for number in range(6)})
    plain = prepared(made.root)
    read = [file for path, file in plain.holdout.files.items() if path != "new3.py"]
    found = prepared(made.root, known=Known(learnt_lines(read), started=True))
    assert not found.unseen
    assert paths(found.newer) == {"new3.py"}


def test_a_run_that_goes_on_cuts_its_prompts_as_it_began(tmp_path: Path):
    (tmp_path / "a.py").write_text(code("alone", 120))
    began = prepared(tmp_path)
    cut = Cut("base", 4096, began.data_sha256, Budget(200, 80, 32))
    again = prepared(tmp_path, kept=cut)
    assert (began.budget, again.budget) == (TERMS.budget, cut.budget)
    assert began.dataset.sample(3) != again.dataset.sample(3)
    # What is cut otherwise is other material, however that came about.
    assert began.material("").identity != again.material("").identity
    (tmp_path / "a.py").write_text(code("another", 120))
    assert prepared(tmp_path, kept=cut).budget == TERMS.budget


def test_material_is_told_apart_by_where_it_starts_and_what_chose_its_checkpoint(found: Prepared):
    one = found.material("a" * 64)
    assert one.identity != found.material("a" * 64, "an-adapter").identity
    assert one.identity != replace(found, choosing=("another",)).material("a" * 64).identity


def test_a_machine_bounds_what_is_learnt_from_and_not_what_the_gate_asks(tmp_path: Path):
    for number in range(20):
        (tmp_path / f"file{number}.py").write_text(code(f"file{number}", 60))
    most = Budget(prefix=120, suffix=40, output=64, snippets=0)
    short, whole = prepared(tmp_path, most=most), prepared(tmp_path)
    assert short.budget == whole.budget == TERMS.budget
    assert short.newer == whole.newer
    longest, longer = (max(it.answer for it in each.validation) for each in (short, whole))
    assert longest < longer
    drawn = [[each.dataset.sample(number) for number in range(40)] for each in (short, whole)]
    assert max(it.answer for it in drawn[0]) < max(it.answer for it in drawn[1])
    assert short.material("base").identity != whole.material("base").identity
