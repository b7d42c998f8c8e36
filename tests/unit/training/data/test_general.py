"""Code of nobody's repository: what is replayed is never asked, and what is asked, once."""

from pathlib import Path

import pytest

from tests.git_repositories import code

pytest.importorskip("datasketch", reason="needs the train extra: run `tenon setup train`")

from training.data.general import EACH, MOST_CHARACTERS, asked, choosing, library_files, replayed


def library(folder: Path, modules: int) -> Path:
    for number in range(modules):
        (folder / f"module{number}.py").write_text(code(f"function{number}", 8))
    (folder / "_private.py").write_text(code("private", 8))
    (folder / "large.py").write_text(code("large", 8) + "#" * MOST_CHARACTERS)
    return folder


def test_private_and_large_modules_are_left_out(tmp_path: Path):
    found = list(library_files(library(tmp_path, 3)))
    assert [file.path for file in found] == [f"Lib/module{number}.py" for number in range(3)]
    assert {file.language for file in found} == {"python"}


def test_no_module_has_two_uses(tmp_path: Path):
    library(tmp_path, 9)
    code_base = replayed(tmp_path)
    assert code_base is not None
    learnt = {file.curated.file.path for file in code_base.files}
    gates = {example.path for stretch in asked(40, 1, tmp_path) for example in stretch}
    chooses = {example.path for example in choosing(40, 1, tmp_path)}
    assert (len(learnt), len(gates), len(chooses)) == (5, 3, 1)
    assert len(learnt | gates | chooses) == 9


def test_what_chooses_the_scale_are_different_holes_with_something_in_them(tmp_path: Path):
    texts = {file.path: file.text for file in library_files(library(tmp_path, 9))}
    questions = choosing(30, 1, tmp_path)
    assert 10 < len(questions) <= 30
    assert len({example.id for example in questions}) == len(questions)
    for example in questions:
        assert example.middle
        assert example.prefix + example.middle + example.suffix == texts[example.path]
    assert questions == choosing(30, 1, tmp_path)
    assert questions != choosing(30, 2, tmp_path)


def test_the_gate_asks_for_a_stretch_of_each_module(tmp_path: Path):
    library(tmp_path, 18)
    questions = asked(4, 1, tmp_path)
    assert len({stretch[0].path for stretch in questions}) == len(questions) == 4
    assert all(0 < len(stretch) <= EACH for stretch in questions)
    assert questions == asked(4, 1, tmp_path)
    assert questions != asked(4, 2, tmp_path)
    assert len(asked(30, 1, tmp_path)) == 7


def test_there_is_nothing_where_there_is_no_library_as_source(tmp_path: Path):
    assert replayed(tmp_path) is None
    assert asked(10, 1, tmp_path) == ()
    assert choosing(10, 1, tmp_path) == []


def test_this_interpreters_own_library_is_enough():
    code_base = replayed()
    assert code_base is not None
    assert len(code_base.files) > 30
    assert len(asked(40, 1)) == 40
    assert len(choosing(50, 1)) == 50
