import subprocess
import sys
from pathlib import Path

import pytest

from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore, recorded_repositories


@pytest.fixture
def paths(tmp_path: Path) -> StorePaths:
    return StorePaths(tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "My Repo (v2)"
    folder.mkdir()
    return folder


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


def test_a_folder_of_its_own_outside_the_repository(paths: StorePaths, root: Path):
    store = RepositoryStore.of(paths, root)
    slug, _, digest = store.folder.name.rpartition("-")
    assert store.folder.parent == paths.root / "repos"
    assert slug == "my-repo-v2"
    assert len(digest) == 12
    assert int(digest, 16) >= 0
    assert store.index == store.folder / "index.sqlite"
    assert not paths.root.exists()


@pytest.mark.parametrize("name", ["Ünï", "日本", "...", "-"])
def test_every_name_gives_a_usable_folder(paths: StorePaths, tmp_path: Path, name: str):
    folder = RepositoryStore.of(paths, tmp_path / name).folder
    assert folder.name.isascii()
    assert not folder.name.startswith("-")


def test_the_same_however_the_path_is_written(
    paths: StorePaths, root: Path, monkeypatch: pytest.MonkeyPatch
):
    store = RepositoryStore.of(paths, root)
    monkeypatch.chdir(root)
    assert RepositoryStore.of(paths, Path()) == store
    assert RepositoryStore.of(paths, root / "src" / "..") == store


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_what_it_points_to(paths: StorePaths, root: Path, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(root)
    assert RepositoryStore.of(paths, link) == RepositoryStore.of(paths, root)


def test_two_of_one_name_do_not_meet(paths: StorePaths, tmp_path: Path):
    one, other = (RepositoryStore.of(paths, tmp_path / at / "app") for at in ("a", "b"))
    assert one.folder != other.folder


def test_a_record_without_git(paths: StorePaths, root: Path):
    store = RepositoryStore.of(paths, root)
    assert store.read() is None
    record = store.ensure()
    assert (record.root, record.name, record.remote) == (str(root.resolve()), root.name, None)
    assert store.ensure() == record == store.read()
    assert list(recorded_repositories(paths)) == [record]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://zoe:token@example.org/a.git", "https://example.org/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
        ("/srv/a b.git", "/srv/a b.git"),
    ],
)
def test_the_remote_is_recorded_without_credentials(
    paths: StorePaths, root: Path, url: str, kept: str
):
    git(root, "init", "--quiet")
    store = RepositoryStore.of(paths, root)
    first = store.ensure()
    git(root, "remote", "add", "origin", url)
    record = store.ensure()
    assert record.remote == kept
    assert record.created == first.created
    assert "token" not in store.record.read_text("utf-8")


def test_a_record_that_is_damaged_is_written_anew(paths: StorePaths, root: Path):
    store = RepositoryStore.of(paths, root)
    store.ensure()
    store.record.write_text("{", "utf-8")
    assert store.read() is None
    assert store.ensure() == store.read()
