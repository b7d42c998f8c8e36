"""Divides a repository by time: the text to train on, and newer code to judge the adapter by.

What is trained on is the repository as it was at some commit, and what is new since then is held
out. Where history does not give that, whole files are held out, the newest ones if that can be
told. No line that is held out stands in the text to train on (:mod:`training.holdout.added` says
what counts as the same line).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from lsp_server.store.files import RepositoryFile, is_generated

from ..outlines.parts import Span, line_starts
from .added import AddedLines, Lines, code_lines, decoded, line_hashes, ranges_of, telling, within
from .choosing import TOO_MANY, fill, newest_first, order
from .git import GitError
from .history import MAX_BYTES, History
from .repeated import repeated_blocks
from .timesplit import Split, Wanted, find_split

LEAST_NEW = 0.1
"""The part of a file that must be new for all of it to be left out of training."""


@dataclass(frozen=True, slots=True)
class HoldoutRules:
    """Shares are of all lines of code. Where ``min_lines`` are more than ``share_max`` of a
    repository, ``share_max`` is what is aimed at. ``max_lines`` bounds both limits: so much is
    enough to judge by, and a large repository's newest code is worth learning, too.

    ``whole_files`` is the share of the changed files (of those that changed enough) that are left
    out of training with what was old in them; ``max_commits`` how far back a split is looked for.
    Where files are chosen, as many as ``min_files`` if ``share_max`` lets them: how sure the gate
    is follows from how many there are, more than from how many lines.
    """

    share_min: float = 0.10
    share_max: float = 0.20
    min_lines: int = 300
    max_lines: int | None = None
    min_files: int = 30
    whole_files: float = 0.25
    max_commits: int = 5_000

    def wanted(self, code: int) -> Wanted:
        most = self.share_max * code
        least = max(self.share_min * code, min(self.min_lines, most))
        if self.max_lines is not None:
            least, most = min(least, self.max_lines), min(most, 2 * self.max_lines)
        return Wanted(least, max(most, 1.0), self.min_files)


@dataclass(frozen=True, slots=True)
class _Tree:
    """The working tree, with what all ways to divide it need to know."""

    files: Sequence[RepositoryFile]
    code: int
    wanted: Wanted
    rules: HoldoutRules
    seed: int


@dataclass(frozen=True, slots=True)
class HoldOut:
    """``training`` are the files as they are trained on. ``split`` says how they were divided:
    "commit abc1234 of 2026-03-01" (and which part of its files), "newest files", "random files",
    or "nothing".

    ``files`` is the working tree by path, the context of held-out prompts; ``new`` the character
    spans in its texts that are held out, whole lines each. ``unseen`` are the paths with new code
    of which training has nothing at all. ``repeated`` are spans of training files (by the path in
    ``training``) in which blocks of new code stand as well: no middle may be cut there. Of
    ``code_lines`` lines, ``lines`` are held out; ``commit`` is the id that divides, if one does.
    """

    training: tuple[RepositoryFile, ...]
    split: str
    new: Mapping[str, tuple[Span, ...]]
    files: Mapping[str, RepositoryFile]
    unseen: frozenset[str] = frozenset()
    repeated: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)
    lines: int = 0
    code_lines: int = 0
    commit: str | None = None


def hold_out(
    files: Sequence[RepositoryFile],
    history: History | None,
    rules: HoldoutRules | None = None,
    seed: int = 0,
) -> HoldOut:
    """Divides the files of a working tree; a function of its arguments and of what git says.

    A history that cannot be read (damaged, or without its older objects) is as good as none.
    """
    rules = rules or HoldoutRules()
    code = sum(code_lines(line_hashes(file.text)) for file in files if file.language)
    tree = _Tree(files, code, rules.wanted(code), rules, seed)
    if history is not None and code:
        try:
            added = AddedLines(history, files)
            split = find_split(added, tree.wanted, rules.max_commits)
            if split is not None:
                return _by_commit(added, split, tree)
        except GitError:
            pass
    return _by_files(tree, history)


def _by_commit(added: AddedLines, split: Split, tree: _Tree) -> HoldOut:
    name = f"commit {split.commit.name}"
    held = dict(split.new)
    if split.lines > tree.wanted.most * TOO_MANY:
        sizes = {path: added.count({path: ranges}) for path, ranges in held.items()}
        chosen = fill(sorted(sizes, key=order(tree.seed)), sizes, tree.wanted.middle)
        name += f", {len(chosen)} of {len(held)} changed files"
        held = {path: held[path] for path in sorted(chosen)}
    whole = _whole(added, held, tree)
    training = [file for file in tree.files if file.path in split.new and file.path not in held]
    then = {file.path for file in tree.files} - {file.path for file in training} - whole
    moved = added.history.renames(split.commit.id)
    training += _then(added, split, [file for file in tree.files if file.path in then], moved)
    return _held_out(training, name, held, tree, commit=split.commit.id, moved=moved)


def _whole(added: AddedLines, held: Mapping[str, tuple[Lines, ...]], tree: _Tree) -> frozenset[str]:
    """The files that training is not to see at all, for its like of those that did not exist then.

    Only of those that are new to a good part: for a new line or two, a large file is worth more as
    text to learn from.
    """
    share = {path: added.count({path: ranges}) / added.size(path) for path, ranges in held.items()}
    paths = sorted(
        (path for path in held if LEAST_NEW <= share[path] < 1.0), key=order(tree.seed + 1)
    )
    return frozenset(paths[: round(tree.rules.whole_files * len(paths))])


def _then(
    added: AddedLines,
    split: Split,
    files: Iterable[RepositoryFile],
    moved: Mapping[str, str],
) -> list[RepositoryFile]:
    """Files as they were at a commit, under the paths that they had.

    Those that it lacks and that hold nothing new (moved, put together from others, or older and
    never committed) stay as they are.
    """
    tree = added.history.tree(split.commit.id)
    changed = added.history.last_changed(split.commit.id)
    found: list[RepositoryFile] = []
    then: dict[str, RepositoryFile] = {}
    for file in files:
        old = file.path if file.path in tree else moved.get(file.path, "")
        if old in tree and tree[old].size <= MAX_BYTES:
            then[old] = file
        elif file.path not in split.new:
            found.append(file)
    contents = added.history.read(tree[old] for old in then)
    for (old, file), data in zip(then.items(), contents, strict=True):
        text = decoded(data)
        if text == file.text and old == file.path:
            found.append(file)
        elif text is not None and not (
            is_generated(old, text) and not is_generated(file.path, file.text)
        ):
            sha256 = hashlib.sha256(data).hexdigest()
            time = changed.get(old, split.commit.time)
            found.append(replace(file, path=old, text=text, sha256=sha256, modified=time))
    return found


def _by_files(tree: _Tree, history: History | None) -> HoldOut:
    """Holds out whole files: the newest, if their times tell them apart, else any."""
    sizes = {file.path: code_lines(line_hashes(file.text)) for file in tree.files if file.language}
    if sum(size > 0 for size in sizes.values()) < 2:
        return HoldOut(
            tuple(tree.files),
            "nothing",
            {},
            {file.path: file for file in tree.files},
            code_lines=tree.code,
        )
    paths, times_known = newest_first(sizes, _times(tree.files, history), tree.seed)
    chosen = fill(paths, sizes, tree.wanted.middle)
    held = {
        file.path: ((1, file.text.count("\n") + 1),) for file in tree.files if file.path in chosen
    }
    training = [file for file in tree.files if file.path not in held]
    return _held_out(training, "newest files" if times_known else "random files", held, tree)


def _times(
    files: Sequence[RepositoryFile], history: History | None
) -> Iterator[Mapping[str, float]]:
    """When files were last changed: what git says, then what the file system says."""
    if history is not None:
        with suppress(GitError):
            yield history.last_changed()
    yield {file.path: file.modified for file in files}


def _held_out(
    training: Iterable[RepositoryFile],
    split: str,
    held: Mapping[str, tuple[Lines, ...]],
    tree: _Tree,
    *,
    commit: str | None = None,
    moved: Mapping[str, str] = MappingProxyType({}),
) -> HoldOut:
    """The hold-out of these lines, less those that stand in training after all.

    ``moved`` says under which path training has a file, if not its own.
    """
    trained = tuple(sorted(training, key=lambda file: file.path))
    by_path = {file.path: file for file in tree.files}
    known = [np.unique(line_hashes(file.text)) for file in trained]
    seen = np.unique(np.concatenate(known)) if known else np.empty(0, np.int64)
    new: dict[str, tuple[Span, ...]] = {}
    lines = 0
    for path, ranges in held.items():
        text = by_path[path].text
        hashes = line_hashes(text)
        fresh = np.zeros(len(hashes), np.bool_)
        for first, last in ranges:
            fresh[first - 1 : last] = True
        left = ranges_of(hashes, fresh & telling(hashes) & ~within(hashes, seen))
        if left:
            new[path] = spans_of(text, left)
            lines += code_lines(hashes, left)
    texts = {path: (by_path[path].text, ranges) for path, ranges in held.items()}
    paths = {file.path for file in trained}
    return HoldOut(
        training=trained,
        split=split,
        new=new,
        files=by_path,
        unseen=frozenset(path for path in new if not {path, moved.get(path)} & paths),
        repeated=repeated_blocks(texts, trained),
        lines=lines,
        code_lines=tree.code,
        commit=commit,
    )


def spans_of(text: str, ranges: tuple[Lines, ...]) -> tuple[Span, ...]:
    """Lines as characters, from the first one's start to the last one's end."""
    starts = [*line_starts(text), len(text) + (not text.endswith("\n"))]
    return tuple((starts[first - 1], starts[last] - 1) for first, last in ranges)
