"""A part of a repository, with what the folders around it say of it."""

import pytest

from lsp_server.store.rules import Rules
from lsp_server.store.walking import walk


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
