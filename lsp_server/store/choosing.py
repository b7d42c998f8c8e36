"""Which repository's adapters serve a folder: its own, or those of one that it belongs to.

A folder that nothing was chosen for goes to the repository around it, a worktree to the repository
that it is of, and a clone to another clone of the same remote. A submodule is a repository of its
own. What is told apart here are folders; whether an adapter fits the model is found out later.

Whose choice holds and where the adapters lie are two questions: a worktree may do without its main
checkout's, and has none of its own to choose instead.
"""

import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import AdapterError
from .adapters.choice import read_choice
from .adapters.shelf import AdapterShelf
from .paths import StorePaths
from .repositories import RepositoryStore, recorded_repositories, remote_of

_SMALL = 100_000
"""Bytes of a ``.git`` file or a git configuration that are read at most."""


@dataclass(frozen=True, slots=True)
class Serving:
    """The store that adapters of a folder are in; ``reason`` says whose it is, empty: its own."""

    store: RepositoryStore
    reason: str = ""


def serving_store(paths: StorePaths, root: Path) -> Serving:
    """Whose choice holds for ``root``; its own where nothing serves it.

    Reads the disk and asks git, so it is not for an event loop. A folder where anything was chosen,
    be it "none", has its own choice.
    """
    own = RepositoryStore.of(paths, root)
    if own.active_json.exists():
        return Serving(own)
    return _related(paths, own) or Serving(own)


def shelf_of(paths: StorePaths, root: Path, serving: Serving | None = None) -> Serving:
    """Where the adapters lie that ``root`` may choose among.

    That is the store whose choice holds, but for a folder that chose "none" and has none of its own
    that could serve: it may choose among those that it would have without that. ``serving`` is what
    :func:`serving_store` said, if that was asked already. Not for an event loop.
    """
    serving = serving or serving_store(paths, root)
    own = RepositoryStore.of(paths, root)
    if serving.store == own and _is_bare(own):
        return _related(paths, own) or serving
    return serving


def _is_bare(store: RepositoryStore) -> bool:
    """Whether nothing serves there, and nothing could."""
    try:
        choice = read_choice(store.active_json)
    except AdapterError:
        return False
    serves = choice is not None and choice.adapter_id is not None
    return not serves and all(adapter.lost for adapter in AdapterShelf(store).all())


def _related(paths: StorePaths, own: RepositoryStore) -> Serving | None:
    """The store of another folder whose adapters serve one that chose nothing."""
    top = top_of(own.root)
    related = (RepositoryStore.of(paths, folder) for folder in _homes(own.root, top))
    for store in related:
        if store != own and store.active_json.exists():
            return Serving(store, f"of {store.root}, which it belongs to")
    clones = list(_other_clones(paths, top or own.root, own))
    if clones:
        newest = max(clones, key=lambda store: store.active_json.stat().st_mtime_ns)
        return Serving(newest, f"of {newest.root}, a clone of the same remote")
    return None


def top_of(folder: Path) -> Path | None:
    """The root of the git repository, worktree or submodule around a folder; None without."""
    return next((it for it in (folder, *folder.parents) if (it / ".git").exists()), None)


def _homes(root: Path, top: Path | None) -> Iterator[Path]:
    """The folders around one up to its repository, then the main checkout of a worktree."""
    if top is None:
        return
    yield from (folder for folder in root.parents if folder.is_relative_to(top))
    main = main_checkout(top)
    if main is not None:
        yield main / root.relative_to(top)  # a folder of a monorepo that has adapters of its own
        yield main


def main_checkout(top: Path) -> Path | None:
    """Where the repository of a worktree was cloned or created; None if ``top`` is no worktree.

    Read off git's own files: a ``.git`` file names the worktree's folder, whose ``commondir``
    names the repository's. A submodule has the first without the second.
    """
    try:
        pointer = _read(top / ".git")
        if not pointer.startswith("gitdir:"):
            return None
        private = top / pointer.removeprefix("gitdir:").strip()
        common = (private / _read(private / "commondir").strip()).resolve()
    except (OSError, ValueError):
        return None
    if common.name == ".git":
        return common.parent
    return _configured(common)


def _configured(common: Path) -> Path | None:
    """The checkout of a repository that lies elsewhere, as a submodule's does; of a bare one its
    own folder, which stands for all of its worktrees.
    """
    parser = configparser.ConfigParser(strict=False, interpolation=None, allow_no_value=True)
    try:
        parser.read_string(_read(common / "config"))
    except (OSError, ValueError, configparser.Error):
        return None
    checkout = parser.get("core", "worktree", fallback=None)
    return (common / checkout).resolve() if checkout else common


def _other_clones(paths: StorePaths, root: Path, own: RepositoryStore) -> Iterator[RepositoryStore]:
    """The stores of other folders with the same remote where an adapter serves."""
    remote = remote_of(root)
    if not remote:
        return
    for record in recorded_repositories(paths):
        store = RepositoryStore.of(paths, Path(record.root))
        if store == own or not record.remote or not same_remote(record.remote, remote):
            continue
        try:
            choice = read_choice(store.active_json)
        except AdapterError:
            continue
        if choice is not None and choice.adapter_id is not None:
            yield store


def same_remote(one: str, other: str) -> bool:
    """Whether two URLs name the same repository, over HTTPS or SSH."""
    return _plain(one) == _plain(other)


def _plain(url: str) -> str:
    """Host and path; ``git@host:path`` is SSH's short form, and a Windows path has one letter."""
    host, colon, path = url.partition(":")
    if colon and "//" not in url and "/" not in host and len(host) > 1:
        url = f"ssh://{host}/{path}"
    try:
        parts = urlsplit(url)
        place = (parts.hostname or "").lower()
    except ValueError:
        return url
    if not place:
        return url.rstrip("/").removesuffix(".git")
    return f"{place}/{parts.path.strip('/').removesuffix('.git')}"


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_SMALL).decode("utf-8")
