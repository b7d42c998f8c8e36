"""Walks a repository in order: entries are told apart by name, rules and kind, and never opened."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .ignore_files import IGNORE_FILE, ignored_above, lines_of
from .ignoring import Ignored, Patterns
from .rules import Rules

_VENDORED = frozenset(
    ("node_modules", "bower_components", "jspm_packages", "vendor", "vendored", "_vendor",
     "third_party", "third-party", "thirdparty", "3rdparty", "site-packages", "dist-packages",
     "venv", "virtualenv", "__pycache__", "__pypackages__", "dist", "build", "target", "Pods",
     "Carthage", "bazel-bin", "bazel-out")
)  # fmt: skip
_VENDORED_ENDINGS = (".egg-info", ".dist-info", ".xcodeproj", ".framework")
_MARKS = (("pyvenv.cfg", "vendored"), ("CACHEDIR.TAG", "vendored"), (".git", "other repository"))
"""Entries that tell what a folder below the root is."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, or a folder with all that is in it (``path`` ends in ``/``), that is left out.

    ``reason`` is one of a few stable words: "ignored", "vendored", "hidden", "generated",
    "no code", "too large", "binary", "not UTF-8", "link", "special file", "unreadable",
    "odd name", "other repository", "excluded by tenon.toml".
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A regular file that nothing speaks against so far.

    ``path`` is relative to the root, with forward slashes; ``size`` in bytes, ``modified`` in
    seconds since the epoch and ``modified_ns`` in nanoseconds. ``included`` says that tenon.toml
    asks for it by name.
    """

    path: str
    location: Path
    size: int
    modified_ns: int
    included: bool

    @property
    def modified(self) -> float:
        return self.modified_ns / 1e9


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder to read; ``reason`` says why its files are left out unless tenon.toml has them."""

    path: str
    location: Path
    ignored: Ignored
    reason: str = ""


def walk(
    root: Path,
    rules: Rules,
    *,
    below: str = "",
    deep: bool = True,
    entered: Callable[[str], None] = lambda _folder: None,
) -> Iterator[Found | Skipped]:
    """Everything below ``root``, sorted by path (a folder's with its slash); never raises.

    Links are never followed. What git ignores is ignored here, by the .gitignore files below and
    above ``root`` and by ``.git/info/exclude``. ``below`` is a folder ("" or ending in ``/``) that
    alone is read, with what the folders around it say of it; without ``deep``, no folder in it is.
    ``entered`` hears of every folder that is read, after its entries were listed.
    """
    wanted = _Wanted.of(rules)
    pending: list[_Folder | Found | Skipped] = [_reached(root, below, wanted)]
    while pending:
        entry = pending.pop()
        if not isinstance(entry, _Folder):
            yield entry
            continue
        try:
            with os.scandir(entry.location) as listing:
                entries = list(listing)
        except OSError:
            yield Skipped(entry.path or "./", "unreadable")
            continue
        opened = _opened(entry, {child.name for child in entries}, wanted)
        if isinstance(opened, Skipped):
            yield opened
            continue
        entered(opened.path)
        found = [_judge(child, opened, wanted) for child in entries]
        if not deep:
            found = [child for child in found if not isinstance(child, _Folder)]
        pending += sorted(found, key=lambda child: child.path, reverse=True)


def look_at(root: Path, rules: Rules, path: str) -> Found | Skipped:
    """One file below ``root`` as :func:`walk` judges it, at the cost of the folders around it.

    One that is not on disk (yet) is judged by its place, and has neither size nor time.
    """
    wanted = _Wanted.of(rules)
    above, _, name = path.rpartition("/")
    folder = _reached(root, f"{above}/" if above else "", wanted)
    if isinstance(folder, _Folder):
        folder = _opened(folder, _telling_names(folder), wanted)
    if isinstance(folder, Skipped):
        return folder
    location = folder.location / name
    if odd := _odd(name, path):
        return odd
    try:
        status = location.lstat()
        looks = status.st_mode, status.st_size, status.st_mtime_ns
    except FileNotFoundError:
        looks = stat.S_IFREG, 0, 0
    except OSError:
        return Skipped(path, "unreadable")
    if stat.S_ISLNK(looks[0]):
        return Skipped(path, "link")
    return _judge_file(path, location, looks, folder, wanted)


def _telling_names(folder: _Folder) -> set[str]:
    """Of the entries' names those that say something of a folder, without listing it."""
    return {name for name, _ in _MARKS if (folder.location / name).exists()} | {IGNORE_FILE}


def _reached(root: Path, path: str, wanted: "_Wanted") -> _Folder | Skipped:
    """A folder below ``root``, or the first on the way to it that is left out."""
    folder: _Folder | Skipped = _Folder("", root, ignored_above(root))
    for part in path.split("/")[:-1]:
        if isinstance(folder, _Folder):
            folder = _opened(folder, _telling_names(folder), wanted)
        if isinstance(folder, Skipped):
            break
        location = folder.location / part
        if location.is_symlink():
            return Skipped(f"{folder.path}{part}", "link")
        folder = _judge_folder(part, location, folder, wanted)
    return folder


def _opened(folder: _Folder, names: set[str], wanted: "_Wanted") -> _Folder | Skipped:
    """A folder with what its entries' names tell of it."""
    mark = next((why for name, why in _MARKS if folder.path and name in names), "")
    if mark and not folder.reason:
        if not wanted.below(folder.path):
            return Skipped(folder.path, mark)
        folder = _Folder(folder.path, folder.location, folder.ignored, mark)
    if IGNORE_FILE in names:
        ignored = folder.ignored.within(folder.path, lines_of(folder.location / IGNORE_FILE))
        folder = _Folder(folder.path, folder.location, ignored, folder.reason)
    return folder


@dataclass(frozen=True, slots=True)
class _Wanted:
    """tenon.toml's globs, and into which folders an ``include`` makes it worth to look."""

    include: Patterns
    exclude: Patterns
    heads: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, rules: Rules) -> "_Wanted":
        heads = [_literal(glob) for glob in rules.include if not glob.startswith("!")]
        return cls(
            Patterns.of(rules.include),
            Patterns.of(rules.exclude),
            tuple(head for head in heads if head),
        )

    def below(self, folder: str) -> bool:
        """Whether an ``include`` asks for ``folder`` (ends in ``/``) or for something in it."""
        if self.include.names(folder):
            return True
        parts = tuple(folder.split("/")[:-1])
        return any(parts[: len(head)] == head[: len(parts)] for head in self.heads)


def _literal(glob: str) -> tuple[str, ...]:
    """The folders that a glob spells out before its first wildcard; () if it may match anywhere."""
    *parts, _last = glob.strip().lstrip("/").split("/")
    literal: list[str] = []
    for part in parts:
        if any(character in part for character in "*?[\\"):
            break
        literal.append(part)
    return tuple(literal)


def _judge(
    child: "os.DirEntry[str]", folder: _Folder, wanted: _Wanted
) -> _Folder | Found | Skipped:
    path = folder.path + child.name
    if odd := _odd(child.name, path):
        return odd
    try:
        status = child.stat(follow_symlinks=False)
    except OSError:
        return Skipped(path, "unreadable")
    is_folder = stat.S_ISDIR(status.st_mode)
    if stat.S_ISLNK(status.st_mode) or (is_folder and _is_junction(child)):
        return Skipped(path, "link")
    if is_folder:
        return _judge_folder(child.name, Path(child.path), folder, wanted)
    looks = status.st_mode, status.st_size, status.st_mtime_ns
    return _judge_file(path, Path(child.path), looks, folder, wanted)


def _odd(name: str, path: str) -> Skipped | None:
    """Half a character, or a line break that would end a header."""
    if name.isprintable():
        return None
    return Skipped(path.encode("utf-8", "backslashreplace").decode(), "odd name")


def _judge_file(
    path: str, location: Path, looks: tuple[int, int, int], folder: _Folder, wanted: _Wanted
) -> Found | Skipped:
    """``looks`` are mode, size and time of change in nanoseconds."""
    mode, size, modified_ns = looks
    included = wanted.include.names(path)
    if reason := _against(path, mode, folder, wanted, included=included):
        return Skipped(path, reason)
    return Found(path, location, size, modified_ns, included)


def _against(path: str, mode: int, folder: _Folder, wanted: _Wanted, *, included: bool) -> str:
    """Why a file is left out by its place; "" if nothing speaks against it."""
    if not stat.S_ISREG(mode):
        return "special file"
    if folder.ignored(path):
        return "ignored"
    if wanted.exclude.names(path):
        return "excluded by tenon.toml"
    return "" if included else folder.reason


def _judge_folder(name: str, location: Path, folder: _Folder, wanted: _Wanted) -> _Folder | Skipped:
    path = f"{folder.path}{name}/"
    if name == ".git":
        return Skipped(path, "hidden")
    if folder.ignored(path):
        return Skipped(path, "ignored")
    if wanted.exclude.verdict(path):
        return Skipped(path, "excluded by tenon.toml")
    reason = folder.reason or _unwanted(name)
    if reason and not wanted.below(path):
        return Skipped(path, reason)
    return _Folder(path, location, folder.ignored, reason)


def _unwanted(name: str) -> str:
    if name in _VENDORED or name.endswith(_VENDORED_ENDINGS) or name in {".venv", ".tox", ".nox"}:
        return "vendored"
    return "hidden" if name.startswith(".") else ""


def _is_junction(child: "os.DirEntry[str]") -> bool:
    """Windows' links between folders do not say that they are links; before Python 3.12 nobody
    could ask.
    """
    ask = getattr(child, "is_junction", None)
    return bool(ask()) if ask is not None else False
