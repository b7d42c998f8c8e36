"""A part of a repository, with what the folders around it say of it."""

import pytest

from lsp_server.store.rules import Rules
from lsp_server.store.walking import Found, Skipped, look_at, walk


@pytest.fixture
def root(tmp_path):
    for path in ("a.py", "src/b.py", "src/deep/c.py", "out/d.py", "venv/pyvenv.cfg", "venv/e.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x\n")
    (tmp_path / ".gitignore").write_text("out/\nsrc/deep/no.py\n")
    (tmp_path / "src/deep/no.py").write_text("x\n")
    (tmp_path / "link").symlink_to(tmp_path / "src")
    return tmp_path


def paths(root, **how):
    entered: list[str] = []
    found = walk(root, Rules.of(root), entered=entered.append, **how)
    return [entry.path for entry in found], entered


def test_a_folder_is_read_as_within_the_whole(root):
    whole, entered = paths(root)
    assert entered == ["", "src/", "src/deep/"]
    for folder in entered:
        part, below = paths(root, below=folder)
        assert part == [path for path in whole if path.startswith(folder)]
        assert below == [it for it in entered if it.startswith(folder)]


def test_one_folder_alone(root):
    assert paths(root, below="src/", deep=False) == (["src/b.py"], ["src/"])


@pytest.mark.parametrize(
    ("folder", "left_out"),
    [("out/", "out/"), ("venv/", "venv/"), ("link/", "link"), ("gone/", "gone/"),
     ("out/deeper/still/", "out/")],
)  # fmt: skip
def test_what_is_left_out_is_not_entered(root, folder, left_out):
    assert paths(root, below=folder) == ([left_out], [])


def test_one_file_is_judged_as_within_the_whole(root):
    (root / "tenon.toml").write_text('[files]\nexclude = ["src/b.py"]\ninclude = ["venv/e.py"]\n')
    (root / "no.fifo").symlink_to(root / "a.py")
    rules = Rules.of(root)
    whole = {entry.path: entry for entry in walk(root, rules)}
    files = [path for path in whole if not path.endswith("/")]
    assert {path: look_at(root, rules, path) for path in files} == {p: whole[p] for p in files}
    assert look_at(root, rules, "venv/e.py").included
    assert look_at(root, rules, "out/d.py") == Skipped("out/", "ignored")
    assert look_at(root, rules, "link/b.py") == Skipped("link", "link")
    assert look_at(root, rules, "src") == Skipped("src", "special file")


def test_a_file_that_is_not_there_yet_is_judged_by_its_place(root):
    rules = Rules.of(root)
    for path in ("new.py", "src/new.py", "new/folder/new.py"):
        assert look_at(root, rules, path) == Found(path, root / path, 0, 0, included=False)
    for path, reason in (("out/new.py", "ignored"), ("venv/new.py", "vendored")):
        assert look_at(root, rules, path).reason == reason
