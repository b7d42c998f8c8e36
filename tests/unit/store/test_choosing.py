"""Whose adapters serve a folder: real repositories, worktrees, submodules and clones."""

from pathlib import Path

import pytest

from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.choosing import main_checkout, same_remote, serving_store, shelf_of
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import REJECTED, publish
from tests.git_repositories import Repository, repository


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "home")


@pytest.fixture
def app(tmp_path: Path) -> Repository:
    made = repository(tmp_path / "app")
    made.commit({"src/a.py": "a = 1\n"})
    made.git("remote", "add", "origin", "git@example.org:team/app.git")
    return made


def learnt(paths: StorePaths, root: Path) -> RepositoryStore:
    store = RepositoryStore.of(paths, root)
    registry = AdapterRegistry(store)
    registry.promote(publish(registry, 0).id, 1.0)
    store.ensure()
    return store


def test_a_folder_that_nothing_was_learnt_of_is_its_own(paths: StorePaths, app: Repository):
    serving = serving_store(paths, app.root)
    assert serving.store == RepositoryStore.of(paths, app.root)
    assert not serving.reason
    assert not paths.root.exists()
    outside = serving_store(paths, app.root.parent / "gone")
    assert outside.store.root == app.root.parent / "gone"


def test_a_folder_of_a_monorepo_has_the_repositorys(paths: StorePaths, app: Repository):
    whole = learnt(paths, app.root)
    serving = serving_store(paths, app.root / "src")
    assert (serving.store, serving.reason) == (whole, f"of {app.root}, which it belongs to")
    part = learnt(paths, app.root / "src")
    assert serving_store(paths, app.root / "src").store == part
    assert serving_store(paths, app.root / "src" / "deeper").store == part
    assert serving_store(paths, app.root).store == whole


def test_a_worktree_has_its_main_checkouts(paths: StorePaths, app: Repository, tmp_path: Path):
    app.git("worktree", "add", "--quiet", str(tmp_path / "work tree"), "-b", "other")
    worktree = tmp_path / "work tree"
    assert main_checkout(worktree) == app.root
    assert main_checkout(app.root) is None
    store = learnt(paths, app.root)
    for folder in (worktree, worktree / "src"):
        assert serving_store(paths, folder).store == store
    # What was chosen for the worktree alone goes before it, also if that is nothing.
    own = AdapterRegistry(RepositoryStore.of(paths, worktree))
    own.deactivate()
    assert serving_store(paths, worktree).store == own.repository


def test_who_does_without_may_still_choose_among_them(
    paths: StorePaths, app: Repository, tmp_path: Path
):
    app.git("worktree", "add", "--quiet", str(tmp_path / "w"), "-b", "other")
    store = learnt(paths, app.root)
    own = AdapterRegistry(RepositoryStore.of(paths, tmp_path / "w"))
    theirs = shelf_of(paths, tmp_path / "w")
    assert (theirs.store, theirs.reason) == (store, f"of {app.root}, which it belongs to")
    own.deactivate()
    assert serving_store(paths, tmp_path / "w").store == own.repository
    assert shelf_of(paths, tmp_path / "w") == theirs
    lost = publish(own, 1, REJECTED)
    assert shelf_of(paths, tmp_path / "w") == theirs
    own.activate(lost.id, force=True)
    assert shelf_of(paths, tmp_path / "w").store == own.repository
    own.deactivate()
    publish(own, 2)
    assert shelf_of(paths, tmp_path / "w").store == own.repository
    own.repository.active_json.write_text("{", "utf-8")
    assert shelf_of(paths, tmp_path / "w").store == own.repository


def test_who_belongs_to_nobody_chooses_among_its_own(paths: StorePaths, app: Repository):
    assert shelf_of(paths, app.root).store == RepositoryStore.of(paths, app.root)
    AdapterRegistry(RepositoryStore.of(paths, app.root)).deactivate()
    assert shelf_of(paths, app.root).store == RepositoryStore.of(paths, app.root)


def test_none_of_the_main_checkout_holds_in_its_worktrees(
    paths: StorePaths, app: Repository, tmp_path: Path
):
    app.git("worktree", "add", "--quiet", str(tmp_path / "w"), "-b", "other")
    registry = AdapterRegistry(learnt(paths, app.root))
    registry.deactivate()
    serving = serving_store(paths, tmp_path / "w")
    assert serving.store == registry.repository
    assert AdapterRegistry(serving.store).active("b" * 64) is None


def test_worktrees_of_a_bare_repository(paths: StorePaths, app: Repository, tmp_path: Path):
    bare = tmp_path / "app.git"
    app.git("clone", "--quiet", "--bare", str(app.root), str(bare))
    Repository(bare).git("worktree", "add", "--quiet", str(tmp_path / "w"), "main")
    assert main_checkout(tmp_path / "w") == bare


def test_a_submodule_is_a_repository_of_its_own(paths: StorePaths, app: Repository, tmp_path: Path):
    library = repository(tmp_path / "library")
    library.commit({"b.py": "b = 1\n"})
    app.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.root))
    learnt(paths, app.root)
    submodule = app.root / "library"
    assert (submodule / ".git").is_file()
    assert main_checkout(submodule) is None
    assert serving_store(paths, submodule).store == RepositoryStore.of(paths, submodule)
    Repository(submodule).git("worktree", "add", "--quiet", str(tmp_path / "w"), "-b", "other")
    assert main_checkout(tmp_path / "w") == submodule


def test_a_fresh_clone_has_another_clones(paths: StorePaths, app: Repository, tmp_path: Path):
    clone = repository(tmp_path / "elsewhere" / "app")
    clone.git("remote", "add", "origin", "https://secret@example.org/team/app")
    store = learnt(paths, app.root)
    serving = serving_store(paths, clone.root)
    assert (serving.store, serving.reason) == (store, f"of {app.root}, a clone of the same remote")
    other = repository(tmp_path / "other")
    other.git("remote", "add", "origin", "https://example.org/team/other")
    assert serving_store(paths, other.root).store == RepositoryStore.of(paths, other.root)
    # A clone where the base was chosen has nothing to give.
    AdapterRegistry(store).deactivate()
    assert serving_store(paths, clone.root).store == RepositoryStore.of(paths, clone.root)
    store.active_json.write_text("{", "utf-8")
    assert serving_store(paths, clone.root).store == RepositoryStore.of(paths, clone.root)


@pytest.mark.parametrize(
    "content", [b"gitdir: nowhere\n", b"nonsense", b"\xff\xfe", b"gitdir: \0\n", b""]
)
def test_a_damaged_pointer_is_no_worktree(paths: StorePaths, tmp_path: Path, content: bytes):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".git").write_bytes(content)
    assert main_checkout(tmp_path / "x") is None
    assert serving_store(paths, tmp_path / "x").store.root == tmp_path / "x"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("git@example.org:a/b.git", "https://example.org/a/b", True),
        ("ssh://git@Example.org:22/a/b", "https://example.org/a/b.git/", True),
        ("https://example.org/a/b", "https://example.org/a/c", False),
        ("https://example.org/a/b", "https://example.com/a/b", False),
        ("/srv/git/a.git", "/srv/git/a", True),
        ("C:/git/a", "C:/git/b", False),
        ("file:///srv/a", "/srv/b", False),
        ("https://[", "https://[", True),
    ],
)
def test_remotes(one: str, other: str, same: bool):
    assert same_remote(one, other) is same
