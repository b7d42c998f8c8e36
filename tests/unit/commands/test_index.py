import json
import os
import subprocess
import sys

import pytest

from lsp_server.cli import main
from lsp_server.commands.complete import _Indexes
from lsp_server.indexing import is_repository
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore


@pytest.fixture
def repo(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    root = tmp_path / "a repo"
    root.mkdir()
    (root / "a.py").write_text("def compute_total():\n    return 1\n")
    (root / "notes.md").write_text("# Notes\n")
    return root


def test_what_is_known_is_told_as_json(repo, capsys, tmp_path):
    assert main(["index", str(repo), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.pop("seconds") >= 0
    store = RepositoryStore.of(StorePaths(tmp_path / "home"), repo)
    assert told == {
        "root": str(repo), "index": str(store.index), "files": 1, "lines": 3, "windows": 1,
        "symbols": 1, "languages": {"python": 1}, "changed": 1, "removed": 0,
        "skipped": [{"path": "notes.md", "reason": "no code"}],
    }  # fmt: skip
    assert sorted(entry.name for entry in repo.iterdir()) == ["a.py", "notes.md"]


def test_a_reader_gets_lines_with_reasons(repo, capsys):
    assert main(["index", str(repo)]) == 0
    told = capsys.readouterr().out
    assert "1 files (1 python), 3 lines" in told
    assert "no code: notes.md" in told


def test_what_is_wrong_is_said(repo, capsys, tmp_path):
    assert main(["index", str(tmp_path / "nothing")]) == 1
    assert "is no folder" in capsys.readouterr().err
    (repo / "tenon.toml").write_text("[files]\ninclude = 3\n")
    assert main(["index", str(repo)]) == 1
    assert "`files.include`" in capsys.readouterr().err


def test_in_the_background_it_is_silent_and_comes_last(repo, tmp_path):
    command = [sys.executable, "-P", "-m", "lsp_server", "index", str(repo), "--background"]
    home = {"TENON_HOME": str(tmp_path / "home"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, env=os.environ | home, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert RepositoryStore.of(StorePaths(tmp_path / "home"), repo).index.exists()


def test_a_completion_in_a_shell_brings_the_index_up_to_date(repo, tmp_path, capsys):
    paths = StorePaths(tmp_path / "home")
    assert _Indexes.of(repo, paths).index is None  # no mark of a repository: it may be anything
    (repo / ".git").mkdir()
    indexes = _Indexes.of(repo, paths)
    [place] = indexes.index_of(str(repo)).places(["compute_total"], "")
    assert place.path == "a.py"
    indexes.close()
    (repo / "tenon.toml").write_text("[files\n")
    assert _Indexes.of(repo, paths).index is None
    assert "without other files" in capsys.readouterr().err


def test_a_home_is_no_repository(tmp_path, monkeypatch):
    home = tmp_path / "users" / "jane"
    (home / "code").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    folders = (home / "code", tmp_path / "other", home, tmp_path / "users", tmp_path)
    assert [is_repository(folder) for folder in folders] == [True, True, False, False, False]
