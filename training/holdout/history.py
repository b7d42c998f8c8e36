"""What git knows of a repository: its commits, when files changed, what stood in them.

Paths are relative to the root that was asked about, which may be a folder inside a repository;
times are seconds since the epoch, as the commits say, which may be wrong (far future, 1970).
Everything but :meth:`History.of` raises :class:`training.holdout.git.GitError`: the repository is
damaged, a partial clone lacks objects (nothing is fetched), or git takes too long.
"""

import os
import re
from collections.abc import Collection, Container, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .git import Git, GitError

MAX_COMMITS = 20_000
"""As far back as is ever looked."""
MAX_BYTES = 1_000_000
"""Larger files are not read; the same limit as for the working tree."""
LOG_SECONDS = 300.0
"""For a walk over commits or files, with what its caller does on the way."""
_ID = re.compile(r"[0-9a-f]{40,64}")
_HEAD = re.compile(rb"\x01([0-9a-f]{40,64}) (-?\d+)")
_FORMAT = "--format=%x01%H %ct"
_RENAMES = ("-M", "-l1000")
_LOOSE_RENAMES = ("-M30%", "-l1000")
"""For files that were moved and reformatted; a wrong pair does no harm."""


@dataclass(frozen=True, slots=True)
class Commit:
    """``time`` is the committer's; ``added`` how many lines it added to the paths asked about.

    Blank lines and changes of white space alone are not counted, nor are moved files.
    """

    id: str
    time: float
    added: int = 0

    @property
    def name(self) -> str:
        """For people: "abc1234 of 2026-03-01" (UTC)."""
        try:
            day = datetime.fromtimestamp(self.time, UTC).date().isoformat()
        except (OverflowError, OSError, ValueError):
            return self.id[:7]
        return f"{self.id[:7]} of {day}"


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content at some commit: git's id of it, and its size in bytes."""

    id: str
    size: int


@dataclass(frozen=True, slots=True)
class History:
    """A repository with at least one commit in which the root's files are; ``head`` is the newest.

    A shallow clone's oldest commit looks as if it had made all its files. A folder inside a
    repository has the commits that touched it; a worktree and a submodule are repositories.
    """

    git: Git
    head: Commit

    @classmethod
    def of(cls, root: Path) -> "History | None":
        """None without git, or if no commit has files of ``root``; a bare repository has none."""
        git = Git.of(root)
        if git is None:
            return None
        try:
            if git.run("rev-parse", "--is-inside-work-tree").strip() != b"true":
                return None
            found = _first(git, "log", "-z", "--max-count=1", _FORMAT, "HEAD", "--", ".")
            # HEAD itself may have touched none of the files here, or be a merge.
            head = _first(git, "log", "-z", "--max-count=1", _FORMAT, "HEAD")
            if found is None or head is None or next(_tree(git, head.id), None) is None:
                return None
        except GitError:  # also: not a repository, no commit yet, another user's
            return None
        return cls(git, head)

    def commits(
        self, paths: Container[str] | None = None, limit: int = MAX_COMMITS
    ) -> Generator[Commit, None, None]:
        """The main line (first parents), newest first, with the lines added to ``paths``.

        A merge counts as what it brought to the main line. Rows are read as they are wanted: who
        stops early has waited for no more.
        """
        log = self.git.records(
            "log", "-z", "--first-parent", "-m", "--numstat", *_RENAMES, "--relative", _FORMAT,
            "--no-ext-diff", "--no-textconv", "--ignore-all-space", "--ignore-blank-lines",
            f"--max-count={limit}", self.head.id, "--", ".", seconds=LOG_SECONDS,
        )  # fmt: skip
        with closing(log):
            current: Commit | None = None
            added = 0
            for row in log:
                record = row.lstrip(b"\n")
                if head := _HEAD.fullmatch(record):
                    if current is not None:
                        yield Commit(current.id, current.time, added)
                    current, added = _commit(head), 0
                    continue
                if not record:  # nothing but white space was changed
                    continue
                lines, _, path = record.split(b"\t", 2)
                if not path:  # renamed: the old name and the new one follow
                    next(log, b"")
                    path = next(log, b"")
                if lines != b"-" and (paths is None or os.fsdecode(path) in paths):
                    added += int(lines)
            if current is not None:
                yield Commit(current.id, current.time, added)

    def last_changed(
        self, commit: str | None = None, limit: int = MAX_COMMITS
    ) -> Mapping[str, float]:
        """When each path was last changed, seen from a commit (HEAD), in one pass.

        Files that are gone are in it too; those that none of the ``limit`` newest commits touched
        are not.
        """
        changed: dict[str, float] = {}
        time = self.head.time
        fresh = False
        for record in self.git.records(
            "log", "-z", "--name-only", "--no-renames", "--relative", _FORMAT, "--no-ext-diff",
            f"--max-count={limit}", _checked(commit or self.head.id), "--", ".",
            seconds=LOG_SECONDS,
        ):  # fmt: skip
            if head := _HEAD.fullmatch(record):
                time, fresh = _commit(head).time, True
                continue
            path = os.fsdecode(record.removeprefix(b"\n") if fresh else record)
            fresh = False
            changed.setdefault(path, time)
        return changed

    def tree(self, commit: str) -> dict[str, Blob]:
        """The regular files of a commit below the root; links and submodules are left out."""
        return dict(_tree(self.git, _checked(commit)))

    def renames(self, commit: str) -> Mapping[str, str]:
        """New path -> old path of what was moved between a commit and HEAD."""
        moved: dict[str, str] = {}
        fields = self.git.records(
            "diff-tree", "-r", "-z", *_LOOSE_RENAMES, "--diff-filter=R", "--name-status",
            "--relative", "--no-ext-diff", "--no-textconv", _checked(commit), self.head.id,
        )  # fmt: skip
        for status in fields:
            if status.startswith(b"R"):
                old = os.fsdecode(next(fields, b""))
                moved[os.fsdecode(next(fields, b""))] = old
        return moved

    def read(self, blobs: Iterable[Blob]) -> Iterator[bytes]:
        """The contents of blobs, in order, one in memory at a time."""
        return self.git.objects((blob.id for blob in blobs), seconds=LOG_SECONDS)

    def files_at(
        self, commit: str, paths: Collection[str] | None = None, max_bytes: int = MAX_BYTES
    ) -> Iterator[tuple[str, bytes]]:
        """The files of a commit as git has them (no filters), one in memory at a time."""
        wanted = {
            path: blob
            for path, blob in self.tree(commit).items()
            if blob.size <= max_bytes and (paths is None or path in paths)
        }
        yield from zip(wanted, self.read(wanted.values()), strict=True)


def _tree(git: Git, commit: str) -> Iterator[tuple[str, Blob]]:
    for record in git.records("ls-tree", "-r", "-l", "-z", commit):
        entry, _, path = record.partition(b"\t")
        mode, _, name, size = entry.split()
        if mode in (b"100644", b"100755", b"100664"):
            yield os.fsdecode(path), Blob(name.decode(), int(size))


def _first(git: Git, *arguments: str) -> Commit | None:
    for record in git.records(*arguments):
        if head := _HEAD.fullmatch(record.strip(b"\n")):
            return _commit(head)
    return None


def _commit(head: "re.Match[bytes]") -> Commit:
    return Commit(head[1].decode(), float(head[2]))


def _checked(commit: str) -> str:
    """Only what git itself named is passed on to it."""
    if not _ID.fullmatch(commit):
        raise GitError(f"{commit!r} is no commit's id")
    return commit
