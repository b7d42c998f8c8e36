"""One file that was saved is taken in; test_index.py has whole trees."""

import time

import pytest

from lsp_server.store.index import RepositoryIndex
from lsp_server.store.index_file import IndexFile
from lsp_server.store.refreshing import take_in
from lsp_server.store.rules import Rules
from tests.old_files import OLD, write


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "repo", "pkg/store.py", "def keep_entry(): ...\n")
    write(tmp_path / "repo", "pkg/other.py", "def other_thing(): ...\n")
    return tmp_path / "repo"


@pytest.fixture
def path(tmp_path, root):
    with RepositoryIndex.open(tmp_path / "home" / "index.sqlite") as index:
        index.refresh(root, Rules())
    return tmp_path / "home" / "index.sqlite"


def defined(path, *names):
    with RepositoryIndex.reading(path) as index:
        return [place.name for place in index.places(names, "")]


def test_one_file_takes_its_old_selfs_place(path, root):
    write(root, "pkg/store.py", "def keep_more(): ...\n", when=time.time())
    write(root, "pkg/other.py", "def not_asked_about(): ...\n")
    assert take_in(path, root, Rules(), "pkg/store.py")
    assert defined(path, "keep_entry", "keep_more", "not_asked_about") == ["keep_more"]
    with RepositoryIndex.open(path) as index:
        assert index.refresh(root, Rules()).changed == 1  # the other one


def test_a_new_file_comes_in_and_one_that_went_goes(path, root):
    write(root, "new/deep/a.py", "def brand_new(): ...\n")
    assert take_in(path, root, Rules(), "new/deep/a.py")
    (root / "pkg/store.py").unlink()
    assert take_in(path, root, Rules(), "pkg/store.py")
    assert defined(path, "brand_new", "keep_entry") == ["brand_new"]


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("pkg/store.py", Rules(exclude=("pkg/store.py",))),
        ("pkg/store.py", Rules(max_file_bytes=3)),
        ("out/made.py", Rules()),
        ("pkg/made_pb2.py", Rules()),
        ("pkg/notes.md", Rules()),
        ("venv/lib.py", Rules()),
    ],
)
def test_what_the_rules_leave_out_stays_out_and_goes_out(path, root, name, rules):
    write(root, ".gitignore", "out/\n")
    (root / ".git").mkdir()
    write(root, name, "def keep_entry(): ...\n")
    assert take_in(path, root, rules, name)
    assert defined(path, "keep_entry") == ([] if name == "pkg/store.py" else ["keep_entry"])
    with RepositoryIndex.open(path) as index:
        index.refresh(root, rules)
        assert defined(path, "keep_entry") == ([] if name == "pkg/store.py" else ["keep_entry"])


def test_a_secret_stays_out(path, root):
    write(root, "pkg/store.py", 'def keep_it():\n    password = "hunter2"\n    return 1\n')
    assert take_in(path, root, Rules(), "pkg/store.py")
    assert defined(path, "keep_it") == ["keep_it"]
    for part in path.parent.iterdir():
        assert b"hunter2" not in part.read_bytes()


def test_without_a_whole_index_nothing_is_taken_in(tmp_path, root, path):
    assert not take_in(tmp_path / "none.sqlite", root, Rules(), "pkg/store.py")
    assert not (tmp_path / "none.sqlite").exists()
    path.write_bytes(b"no database at all" * 1000)
    assert not take_in(path, root, Rules(), "pkg/store.py")


def test_a_full_index_takes_no_new_file(path, root, monkeypatch):
    monkeypatch.setattr("lsp_server.store.refreshing.MOST_FILES", 2)
    write(root, "new.py", "def brand_new(): ...\n")
    write(root, "pkg/store.py", "def keep_more(): ...\n")
    assert take_in(path, root, Rules(), "new.py")
    assert take_in(path, root, Rules(), "pkg/store.py")
    assert defined(path, "brand_new", "keep_more") == ["keep_more"]


def test_a_refresh_puts_nothing_older_over_what_was_saved_meanwhile(path, root, monkeypatch):
    write(root, "pkg/other.py", "def before_the_save(): ...\n", when=OLD + 1)
    written = IndexFile.transaction
    saved = []

    def transaction(file):
        # The refresh has read the file, and is about to write it: now it is saved.
        if file.path == path and len(saved) == 1:
            saved.append(path)
            write(root, "pkg/other.py", "def after_the_save(): ...\n", when=OLD + 2)
            monkeypatch.setattr(IndexFile, "transaction", written)
            assert take_in(path, root, Rules(), "pkg/other.py")
        saved.append(file.path)
        return written(file)

    with RepositoryIndex.open(path) as index:
        monkeypatch.setattr(IndexFile, "transaction", transaction)
        index.refresh(root, Rules())
    assert len(saved) > 1
    assert defined(path, "before_the_save", "after_the_save") == ["after_the_save"]
