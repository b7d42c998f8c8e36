"""Which pairs are new: by their text, wherever it stands, and until a run has learnt it."""

import os
import sqlite3
from pathlib import Path

import pytest

pytest.importorskip("tree_sitter", reason="needs tree-sitter: run `tenon setup train`")

from lsp_server.errors import SettingsError
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.git_repositories import code
from training.watching import scanning
from training.watching.bursts import Changed
from training.watching.pairs import FILE_NAME, REMEMBERED_RUNS, PairRecord
from training.watching.scanning import is_small, scan

EVERYTHING = Changed()


class Project:
    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.store = RepositoryStore.of(StorePaths(home), root)

    def write(self, path: str, *functions: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        text = "\n\n".join(code(name, 4) for name in functions)
        (self.root / path).write_text(text)

    def pending(self, *folders: str) -> int:
        changed = Changed(frozenset(folders)) if folders else EVERYTHING
        return scan(self.root, self.store, changed)

    def learn(self) -> None:
        with PairRecord.of(self.store) as record:
            record.begin()
            record.finish()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "root", tmp_path / "home")
    made.write("a.py", "one", "two")
    made.write("src/b.py", "three")
    made.write("src/deep/c.py", "four")
    return made


def test_at_first_all_pairs_are_new_and_after_a_run_none_is(project):
    assert project.pending() == 4
    project.learn()
    assert project.pending() == 0


def test_a_changed_function_is_new_and_the_others_of_its_file_are_not(project):
    project.pending()
    project.learn()
    text = (project.root / "a.py").read_text()
    (project.root / "a.py").write_text(text.replace("compute_one(2)", "changed(2)"))
    assert project.pending("") == 1
    (project.root / "a.py").write_text(text)
    assert project.pending("") == 0


def test_what_is_moved_renamed_or_formatted_is_not_new(project):
    project.pending()
    project.learn()
    (project.root / "src/b.py").rename(project.root / "moved.py")
    text = (project.root / "a.py").read_text()
    (project.root / "a.py").write_text(text.replace("    ", "  ").replace("(2)", "( 2 )"))
    assert project.pending() == 0


def test_only_what_changed_is_read(project, monkeypatch):
    project.pending()
    read: list[str] = []
    real = scanning.read_file
    monkeypatch.setattr(
        scanning, "read_file", lambda found, rules: read.append(found.path) or real(found, rules)
    )
    project.write("src/b.py", "three", "five")
    project.write("src/deep/d.py", "six")
    assert project.pending("src/") == 5
    assert read == ["src/b.py"]
    assert project.pending("src/deep/") == 6
    assert project.pending() == 6
    assert read == ["src/b.py", "src/deep/d.py"]


def test_what_is_gone_is_not_counted(project):
    project.pending()
    (project.root / "a.py").unlink()
    assert project.pending("") == 2
    (project.root / "src/b.py").unlink()
    (project.root / "src/deep/c.py").unlink()
    (project.root / "src/deep").rmdir()
    (project.root / "src").rmdir()
    assert project.pending("src/") == 0


def test_ignored_folders_do_not_count_even_if_they_are_named(project):
    project.write("node_modules/x.py", "seven")
    assert project.pending("node_modules/") == 0
    (project.root / ".gitignore").write_text("src/\n")
    assert project.pending() == 2


def test_what_changes_while_a_run_goes_on_stays_pending(project):
    project.pending()
    with PairRecord.of(project.store) as record:
        record.begin()
    project.write("new.py", "eight")
    assert project.pending("") == 5
    with PairRecord.of(project.store) as record:
        record.finish()
        assert record.pending() == 1
        assert record.pending_files(5) == ["new.py"]


def test_what_was_learnt_is_remembered_for_some_runs(project):
    project.pending()
    project.learn()
    (project.root / "a.py").unlink()
    project.pending()
    for _ in range(REMEMBERED_RUNS - 1):
        project.learn()
    project.write("a.py", "one", "two")
    assert project.pending() == 0
    (project.root / "a.py").unlink()
    project.pending()
    for _ in range(REMEMBERED_RUNS):
        project.learn()
    project.write("a.py", "one", "two")
    assert project.pending() == 2


def test_a_damaged_record_is_made_anew(project):
    project.pending()
    project.learn()
    (project.store.folder / FILE_NAME).write_bytes(b"no database" * 1000)
    assert project.pending() == 4


def test_a_kill_between_two_batches_loses_nothing(project, monkeypatch):
    monkeypatch.setattr(scanning, "BATCH_FILES", 1)
    real, left = PairRecord.put, [2]

    def put(record, files):
        if not left[0]:
            raise sqlite3.OperationalError("database or disk is full")
        left[0] -= 1
        real(record, files)

    with monkeypatch.context() as patch:
        patch.setattr(PairRecord, "put", put)
        with pytest.raises(sqlite3.OperationalError):
            project.pending()
    assert project.pending() == 4


def test_bad_rules_are_named(project):
    (project.root / "tenon.toml").write_text("[files]\nexclude = 3\n")
    with pytest.raises(SettingsError, match=r"files\.exclude"):
        project.pending()


def test_small_work_is_told_from_large(project):
    project.pending()
    assert is_small(project.root, project.store, Changed(frozenset(("src/",))))
    assert not is_small(project.root, project.store, EVERYTHING)
    (project.root / "src/big.py").write_text("x = 1\n" * 100_000)
    assert not is_small(project.root, project.store, Changed(frozenset(("src/",))))


def test_a_file_that_is_touched_alone_is_not_new(project):
    project.pending()
    project.learn()
    os.utime(project.root / "a.py", ns=(1, 1))
    assert project.pending() == 0
