"""What git is told to ignore: the files that say so, above a repository's root and at it."""

import stat
from pathlib import Path

from .ignoring import Ignored

IGNORE_FILE = ".gitignore"
_MOST_BYTES = 1_000_000


def ignored_above(root: Path) -> Ignored:
    """What .gitignore files above ``root`` and the repository's own list say of it."""
    root = root.absolute()
    top = next((at for at in (root, *root.parents) if (at / ".git").exists()), None)
    if top is None:
        return Ignored()
    outer = "" if top == root else root.relative_to(top).as_posix() + "/"
    ignored = Ignored().within("", lines_of(_git_folder(top) / "info" / "exclude"), outer=outer)
    for depth in range(len(root.relative_to(top).parts)):
        above = top.joinpath(*root.relative_to(top).parts[:depth])
        outer = root.relative_to(above).as_posix() + "/"
        ignored = ignored.within("", lines_of(above / IGNORE_FILE), outer=outer)
    return ignored


def _git_folder(top: Path) -> Path:
    """``.git``, or what it points at in a worktree or a submodule."""
    git = top / ".git"
    for pointer, lead in ((git, "gitdir:"), (git / "commondir", "")):
        if lines := lines_of(pointer):
            git = (pointer.parent / lines[0].removeprefix(lead).strip()).absolute()
    return git


def lines_of(path: Path) -> list[str]:
    """A small text file's lines; none of one that is no plain file or cannot be read."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # git follows no link here either
            return []
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return []
    return data.decode("utf-8-sig", "replace").splitlines()
