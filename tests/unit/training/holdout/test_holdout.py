import os
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from lsp_server.store.files import RepositoryFile, repository_files
from lsp_server.store.rules import Rules
from tests.git_repositories import DAY, START, Repository, code, repository
from training.holdout.added import AddedLines, plain
from training.holdout.heldout_examples import held_out_examples
from training.holdout.history import History
from training.holdout.holdout import HoldOut, HoldoutRules, hold_out
from training.outlines.outline import outline

SMALL = HoldoutRules(min_lines=10, min_files=0)


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    return repository(tmp_path / "project")


def files_of(root: Path) -> list[RepositoryFile]:
    found = repository_files(root, Rules())
    return [file for file in found if isinstance(file, RepositoryFile)]


def divided(root: Path, rules: HoldoutRules = SMALL, seed: int = 0) -> HoldOut:
    return hold_out(files_of(root), History.of(root), rules, seed)


def new_text(found: HoldOut, path: str) -> str:
    text = found.files[path].text
    return "\n".join(text[start:end] for start, end in found.new.get(path, ()))


def added_since(root: Path, commit: int) -> dict[str, list[str]]:
    """The new lines by path since the commit of that number, the newest being 0."""
    history = History.of(root)
    assert history is not None
    files = files_of(root)
    since = AddedLines(history, files).since(list(history.commits())[commit])
    texts = {file.path: file.text.split("\n") for file in files}
    return {
        path: [line for first, last in ranges for line in texts[path][first - 1 : last]]
        for path, ranges in since.items()
    }


def assert_nothing_held_out_is_trained_on(found: HoldOut):
    trained = {plain(line) for file in found.training for line in file.text.split("\n")}
    for path in found.new:
        for line in new_text(found, path).split("\n"):
            assert len(plain(line)) < 10 or plain(line) not in trained


def test_training_is_the_tree_at_the_newest_commit_with_enough_new_since(made: Repository):
    made.commit({"core.py": code("core", 300), "other.py": code("other", 90)})
    split = made.commit({"late.py": code("late", 10)})
    made.commit({"core.py": code("core", 300) + "\n\n" + code("fresh", 30)})
    made.commit({"brand new.py": code("brand", 20)})
    newest = made.commit({"tiny.py": code("tiny", 2)})
    found = divided(made.root)
    assert found.split == f"commit {split[:7]} of 2025-10-10"
    assert found.commit == split != newest
    assert found.code_lines == 302 + 92 + 12 + 32 + 22 + 4
    assert found.lines == 32 + 22 + 4
    assert new_text(found, "core.py") == code("fresh", 30).rstrip("\n")
    assert new_text(found, "brand new.py") == code("brand", 20).rstrip("\n")
    trained = {file.path: file for file in found.training}
    assert set(trained) == {"core.py", "other.py", "late.py"}
    assert trained["core.py"].text == code("core", 300)
    assert trained["core.py"].modified == START
    assert trained["late.py"].modified != START + DAY  # unchanged: as it is on disk
    assert found.unseen == {"brand new.py", "tiny.py"}
    assert found.files["core.py"].text.endswith(code("fresh", 30))
    assert not found.repeated
    assert_nothing_held_out_is_trained_on(found)


def test_some_of_the_changed_files_are_left_out_whole(made: Repository):
    old = {f"m{number}.py": code(f"m{number}", 40) for number in range(12)}
    made.commit(dict(old))
    for number in range(8):
        made.commit({f"m{number}.py": code(f"m{number}", 40) + code(f"n{number}", 8)})
    found = divided(made.root, HoldoutRules(min_lines=10, whole_files=0.5))
    changed = set(found.new)
    trained = {file.path for file in found.training}
    assert found.unseen == changed - trained
    assert len(found.unseen) == round(0.5 * len(changed)) >= 2
    assert trained == set(old) - found.unseen
    assert divided(made.root, HoldoutRules(min_lines=10, whole_files=0.5)) == found
    half = HoldoutRules(min_lines=10, whole_files=0.5)
    assert len({divided(made.root, half, seed).unseen for seed in range(5)}) > 1


def test_a_moved_file_is_trained_on_under_its_old_path(made: Repository):
    made.commit({"old.py": code("one", 60), "b.py": code("two", 60)})
    made.git("mv", "old.py", "new.py")
    made.git("mv", "b.py", "c.py")
    made.commit({"new.py": code("one", 60) + code("more", 14)})
    found = divided(made.root, HoldoutRules(min_lines=10, whole_files=0))
    assert set(found.new) == {"new.py"}
    assert not found.unseen
    assert {file.path: file.text for file in found.training} == {
        "old.py": code("one", 60), "b.py": code("two", 60)
    }  # fmt: skip


def test_moved_and_reformatted_code_is_not_new(made: Repository):
    text = (
        "def first(argument, another):\n"
        "    return compute(argument, [another, 'quoted', 12345], keyword=None)\n\n\n"
        "class Second:\n    def method(self):\n        self.value = some_function(1, 2)\n"
    ) + (rest := code("rest", 6))
    made.commit({"größe alt.py": text, "crlf.py": code("crlf", 5).replace("\n", "\r\n")})
    made.git("mv", "größe alt.py", "größe neu.py")
    made.commit()
    formatted = (
        "def first(\n    argument,\n    another,\n):\n"
        '    return compute(\n        argument,\n        [another, "quoted", 12345],\n'
        "        keyword=None,\n    )\n\n\n"
        "class Second:\n  def method(self):\n\n\n    self.value = some_function(\n      1, 2)\n"
    ) + rest  # fmt: skip
    made.commit({"größe neu.py": formatted, "crlf.py": code("crlf", 5)})
    assert added_since(made.root, 2) == {}
    made.commit({"größe neu.py": text})  # joined again
    assert added_since(made.root, 1) == {}
    moved = "class Elsewhere:\n" + "".join(f"    {line}\n" for line in code("crlf", 5).split("\n"))
    made.commit({"part.py": moved})
    assert added_since(made.root, 1) == {"part.py": ["class Elsewhere:"]}


def test_short_lines_are_new_with_those_around_them(made: Repository):
    made.commit({"a.py": "def one_function():\n    x = 1\n    return compute_value(x)\n"})
    made.write(
        "a.py",
        "def one_function():\n    y = 1\n    return compute_value(x)\n\n\n"
        "def other_function():\n    if x:\n        raise NewError(x)\n    z\n",
    )
    assert added_since(made.root, 0) == {
        "a.py": ["def other_function():", "    if x:", "        raise NewError(x)", "    z"]
    }


def test_untracked_files_are_new_unless_they_are_older(made: Repository):
    made.commit({"a.py": code("one", 100)})
    made.commit({"a.py": code("one", 112)})
    made.write("untracked.py", code("two", 6))
    made.write("older.py", code("three", 30))
    os.utime(made.root / "older.py", (START - DAY, START - DAY))
    assert set(added_since(made.root, 1)) == {"a.py", "untracked.py"}
    found = divided(made.root)
    assert set(found.new) == {"a.py", "untracked.py"}
    assert {file.path for file in found.training} == {"a.py", "older.py"}


def test_a_folder_inside_a_repository(made: Repository):
    made.commit({"sub/a.py": code("one", 100), "out.py": code("out", 900)})
    made.commit({"sub/b.py": code("two", 14), "out.py": code("out", 1000)})
    found = divided(made.root / "sub")
    assert found.split.startswith("commit ")
    assert set(found.new) == {"b.py"}
    assert [file.path for file in found.training] == ["a.py"]


def test_too_much_at_once_is_held_out_in_part(made: Repository):
    made.commit({"a.py": code("one", 40)})
    made.commit({f"n{number}.py": code(f"n{number}", 8) for number in range(40)})
    found = divided(made.root)
    changed = len(found.new)
    assert found.split.endswith(f", {changed} of 40 changed files")
    assert 0.1 <= found.lines / found.code_lines <= 0.25
    assert len(found.training) == 41 - changed
    assert_nothing_held_out_is_trained_on(found)


def test_no_more_is_held_out_than_needed(made: Repository):
    made.commit({"a.py": code("one", 400)})
    for number in range(12):
        made.commit({f"n{number}.py": code(f"n{number}", 8)})
    assert divided(made.root).lines >= 50
    found = divided(made.root, HoldoutRules(min_lines=10, max_lines=20))
    assert found.lines == 20
    assert set(found.new) == {"n10.py", "n11.py"}


def test_one_commit_is_divided_by_files(made: Repository):
    made.commit({f"n{number}.py": code(f"n{number}", 8) for number in range(40)})
    found = divided(made.root)
    assert found.split == "random files"
    assert found.commit is None
    assert 0.1 <= found.lines / found.code_lines <= 0.25
    assert divided(made.root, seed=1).new.keys() != found.new.keys()


def test_a_shallow_clone_is_divided_as_far_as_it_goes(made: Repository, tmp_path: Path):
    made.commit({"a.py": code("one", 100)})
    made.commit({"a.py": code("one", 104)})
    cut = made.commit({"a.py": code("one", 107)})
    made.commit({"b.py": code("two", 14)})
    made.git("clone", "--quiet", "--depth", "2", made.root.as_uri(), str(tmp_path / "shallow"))
    found = divided(tmp_path / "shallow")
    assert found.commit == cut
    assert set(found.new) == {"b.py"}


def test_a_partial_clone_is_divided_without_its_history(made: Repository, tmp_path: Path):
    made.git("config", "uploadpack.allowFilter", "true")
    for number in range(12):
        made.commit({f"a{number}.py": code(f"a{number}", 10), "b.py": code("b", 20 + number)})
    clone = tmp_path / "partial"
    made.git("clone", "--quiet", "--filter=blob:none", made.root.as_uri(), str(clone))
    found = divided(clone)
    assert found.split == "newest files"  # git still knows when they were changed
    assert "a0.py" not in found.new
    assert found.lines


def test_more_files_are_held_out_than_lines_would_ask_for(tmp_path: Path):
    for number in range(40):
        (tmp_path / f"n{number:02}.py").write_text(code(f"n{number}", 10 if number % 5 else 40))
    few, some, most = (
        hold_out(
            files_of(tmp_path), None, HoldoutRules(0.02, min_lines=10, min_files=files), seed=1
        )
        for files in (0, 7, 30)
    )
    assert len(few.new) < len(some.new) == 7 < len(most.new) < 30
    assert most.lines <= 0.2 * most.code_lines


def test_without_git_the_newest_files_are_held_out(tmp_path: Path):
    for number in range(20):
        file = tmp_path / f"n{number:02}.py"
        file.write_text(code(f"n{number}", 10))
        os.utime(file, (START + DAY * number, START + DAY * number))
    (tmp_path / "data.bin").write_bytes(b"\0\1")
    (tmp_path / "latin.py").write_bytes(b"x = '\xfc'\n")
    found = hold_out(files_of(tmp_path), None, SMALL)
    assert found.split == "newest files"
    assert set(found.new) == {"n17.py", "n18.py", "n19.py"} == found.unseen
    assert {file.path for file in found.training} == {f"n{number:02}.py" for number in range(17)}


def test_without_times_any_files_are_held_out(tmp_path: Path):
    shared = "def shared_by_all(argument):\n    value = first_step(argument)\n    return value\n"
    for number in range(20):
        (tmp_path / f"n{number:02}.py").write_text(code(f"n{number}", 10) + shared)
    files = files_of(tmp_path)
    found = hold_out(files, None, SMALL)
    assert found.split == "random files"
    assert hold_out(files, None, SMALL) == found
    assert all("shared_by_all" not in new_text(found, path) for path in found.new)
    assert_nothing_held_out_is_trained_on(found)
    trained = {file.path: file.text for file in found.training}
    assert set(found.repeated) == set(trained)
    for path, spans in found.repeated.items():
        assert "".join(trained[path][start:end] + "\n" for start, end in spans) == shared


@pytest.mark.parametrize("texts", [{}, {"a.py": "x = 1\n"}, {"a.py": code("a", 9), "b.py": ""}])
def test_where_nothing_can_be_held_out(made: Repository, texts: dict[str, str]):
    made.commit({"notes.txt": "words\n", **texts})
    for history in (None, History.of(made.root)):
        found = hold_out(files_of(made.root), history, SMALL)
        assert found.split == "nothing"
        assert not found.new
        assert {file.path for file in found.training} == set(texts)


@pytest.fixture
def examples_of(made: Repository) -> HoldOut:
    made.commit({f"old{number}.py": code(f"old{number}", 60) for number in range(10)})
    imports = "".join(f"from package_{number} import something\n" for number in range(30))
    brackets = "CONSTANT_TABLE = [\n    (\n    ),\n]\n"
    made.commit({
        "imports.py": imports + brackets,
        "long.py": code("long", 40),
        **{f"new{number}.py": f"# größe 🙂\n{code(f'new{number}', 6)}" for number in range(5)},
    })  # fmt: skip
    return divided(made.root, HoldoutRules(min_lines=10, share_max=0.3))


def test_examples_are_cut_from_new_code(examples_of: HoldOut):
    found = held_out_examples(
        examples_of, lambda file: outline(file.text, file.language), Random(1), 20, repository="r"
    )
    assert len({example.id for example in found}) == len(found)
    asked: dict[str, list[tuple[int, int]]] = {}
    for example in found:
        text = examples_of.files[example.path].text
        assert example.completed(example.middle) == text
        assert (example.language, example.repository) == ("python", "r")
        span = (len(example.prefix), len(example.prefix) + len(example.middle))
        kind, where = example.id.split("/", 1)
        assert where == f"{example.path}:{span[0]}-{span[1]}"
        assert any(
            start <= span[0] and span[1] <= end for start, end in examples_of.new[example.path]
        )
        above, line = example.prefix.rpartition("\n")[2], example.middle
        if kind == "body":
            assert not above
            assert example.prefix.endswith('as well as it can."""\n')
            assert line.count("\n") < 24
        else:
            assert "\n" not in line
            assert example.suffix.startswith("\n")
            assert len((above + line).strip()) >= 6
            assert bool(above.strip()) == (kind == "midline")
            asked.setdefault(example.path, []).append(span)
    for spans in asked.values():
        assert all(end <= start for (_, end), (start, _) in pairwise(sorted(spans)))
    kinds = [example.id.split("/")[0] for example in found]
    assert [kinds.count(kind) for kind in ("midline", "line", "body")] == [20, 20, 5]
    for kind in ("midline", "line"):
        of_kind = [example for example in found if example.id.startswith(f"{kind}/")]
        per_path = [[one.path for one in of_kind].count(path) for path in examples_of.new]
        assert max(per_path) <= 4
        assert sum(one.path == "imports.py" for one in of_kind) <= 0.2 * len(of_kind)


def test_examples_are_the_same_for_a_seed_and_avoid_secrets(examples_of: HoldOut):
    def drawn(seed: int, **more) -> list[str]:
        return [one.id for one in held_out_examples(
            examples_of, lambda file: outline(file.text), Random(seed), 12, **more
        )]  # fmt: skip

    assert drawn(1) == drawn(1) != drawn(2)
    secret = "compute_new3"
    allowed = drawn(1, is_allowed=lambda file, span: secret not in file.text[slice(*span)])
    assert len(allowed) == 12 + 12 + 4
    assert all("body/new3.py" not in one for one in allowed)


def test_without_an_outline_there_are_no_bodies(examples_of: HoldOut):
    found = held_out_examples(examples_of, lambda _: None, Random(1), 5)
    assert [one.id.split("/")[0] for one in found] == ["midline"] * 5 + ["line"] * 5
