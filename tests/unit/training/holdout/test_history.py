import os
from itertools import pairwise
from pathlib import Path

import pytest

from tests.git_repositories import DAY, START, Repository, code, repository
from training.holdout.git import Git, GitError
from training.holdout.history import Commit, History


@pytest.fixture
def made(tmp_path: Path) -> Repository:
    return repository(tmp_path / "project")


def history(root: Path) -> History:
    found = History.of(root)
    assert found is not None
    return found


def test_commits_come_newest_first_with_what_they_added(made: Repository):
    first = made.commit({"a.py": code("one", 5), "data.bin": b"\0\1\2"})
    second = made.commit({"a.py": code("one", 8), "b.py": code("two", 3)})
    third = made.commit({"b.py": code("two", 3).replace("    ", "\t") + "\n\n"})
    found = history(made.root)
    assert found.head == Commit(third, START + 2 * DAY)
    assert [(commit.id, commit.time) for commit in found.commits()] == [
        (third, START + 2 * DAY), (second, START + DAY), (first, START)
    ]  # fmt: skip
    assert [commit.added for commit in found.commits()] == [0, 8, 7]
    assert [commit.added for commit in found.commits({"b.py"})] == [0, 5, 0]
    assert [commit.id for commit in found.commits(limit=1)] == [third]
    assert found.head.name == f"{third[:7]} of 2025-10-11"


def test_paths_may_hold_anything(made: Repository):
    paths = [
        "größe/mit leer.py",
        'quote".py',
        "tab\tnew\nline.py",
        "\nfirst.py",
        "-o.py",
        "日本.py",
    ]
    commit = made.commit({path: code(f"f{number}", 3) for number, path in enumerate(paths)})
    found = history(made.root)
    assert set(found.last_changed()) == set(found.tree(commit)) == set(paths)
    assert {path for path, _ in found.files_at(commit)} == set(paths)
    for path in paths:
        assert [one.added for one in found.commits({path})] == [5]


def test_a_moved_file_adds_nothing(made: Repository):
    first = made.commit({"old name.py": code("one", 30)})
    made.git("mv", "old name.py", "größer.py")
    made.commit()
    found = history(made.root)
    assert [commit.added for commit in found.commits()] == [0, 32]
    assert found.renames(first) == {"größer.py": "old name.py"}


def test_last_changed_is_the_newest_commit_of_each_path(made: Repository):
    first = made.commit({"a.py": "a = 1\n", "gone.py": "b = 1\n"})
    made.git("rm", "-q", "gone.py")
    made.commit({"c.py": "c = 1\n"})
    found = history(made.root)
    assert found.last_changed() == {"a.py": START, "gone.py": START + DAY, "c.py": START + DAY}
    assert found.last_changed(first) == {"a.py": START, "gone.py": START}
    assert found.last_changed(limit=1) == {"gone.py": START + DAY, "c.py": START + DAY}


def test_files_are_read_as_they_were(made: Repository):
    content = {"a.py": b"a = 1\r\n", "empty.py": b"", "data.bin": bytes(range(256)) * 1000}
    first = made.commit(dict(content))
    if os.name != "nt":
        (made.root / "link.py").symlink_to("a.py")
    made.commit({"a.py": b"b = 2\n"})
    found = history(made.root)
    assert dict(found.files_at(first)) == content
    assert dict(found.files_at(found.head.id, {"a.py", "link.py"})) == {"a.py": b"b = 2\n"}
    assert "data.bin" not in dict(found.files_at(first, max_bytes=1000))


def test_a_folder_inside_a_repository_has_its_own_paths(made: Repository):
    inside = made.commit({"sub/a b.py": code("one", 2), "out.py": code("two", 9)})
    outside = made.commit({"out.py": code("two", 12)})
    found = history(made.root / "sub")
    assert found.head.id == outside
    assert [(commit.id, commit.added) for commit in found.commits()] == [(inside, 4)]
    assert set(found.tree(outside)) == set(found.last_changed()) == {"a b.py"}
    assert [path for path, _ in found.files_at(outside)] == ["a b.py"]


def test_a_merge_counts_as_what_it_brought(made: Repository):
    made.commit({"a.py": code("one", 2)})
    made.git("switch", "--quiet", "--create", "side")
    made.commit({"b.py": code("two", 3)})
    made.commit({"c.py": code("three", 4)})
    made.git("switch", "--quiet", "main")
    made.commit({"d.py": code("four", 5)})
    made.git("merge", "--quiet", "--no-edit", "side", time=START + 9 * DAY)
    assert [commit.added for commit in history(made.root).commits()] == [11, 7, 4]


def test_times_may_be_nonsense(made: Repository):
    made.commit({"a.py": "a = 1\n"}, time=4_000_000_000)
    made.commit({"b.py": "b = 1\n"}, time=0)
    found = history(made.root)
    assert [commit.time for commit in found.commits()] == [0, 4_000_000_000]
    assert found.head.name.endswith(" of 1970-01-01")
    assert Commit("0123456789", 1e30).name == "0123456"


def test_where_there_is_no_history(made: Repository, tmp_path: Path, monkeypatch):
    assert History.of(tmp_path) is None
    assert History.of(tmp_path / "absent") is None
    assert History.of(made.root) is None  # no commit yet
    made.commit({"a.py": "a = 1\n"})
    assert History.of(made.root / ".git") is None
    (made.root / "own").mkdir()
    assert History.of(made.root / "own") is None  # git knows no file in it
    made.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    assert History.of(tmp_path / "bare") is None
    assert History.of(made.root) is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert History.of(made.root) is None


def test_worktrees_submodules_and_shallow_clones(made: Repository, tmp_path: Path):
    ids = [made.commit({"a.py": code("one", lines)}) for lines in (3, 5, 9)]
    made.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"), ids[1])
    assert history(tmp_path / "tree").head.id == ids[1]

    made.git("clone", "--quiet", "--depth", "2", made.root.as_uri(), str(tmp_path / "shallow"))
    shallow = history(tmp_path / "shallow")
    assert [(commit.id, commit.added) for commit in shallow.commits()] == [
        (ids[2], 4), (ids[1], 7)
    ]  # fmt: skip
    assert set(shallow.last_changed()) == {"a.py"}

    outer = repository(tmp_path / "outer")
    allowed = ("-c", "protocol.file.allow=always")
    outer.git(*allowed, "submodule", "--quiet", "add", str(made.root), "inner")
    outer.commit({"b.py": "b = 1\n"})
    assert history(outer.root / "inner").head.id == ids[2]
    assert set(history(outer.root).tree(history(outer.root).head.id)) == {".gitmodules", "b.py"}


def test_a_hostile_repository_runs_nothing(made: Repository, tmp_path: Path):
    script, ran = tmp_path / "evil", tmp_path / "ran"
    script.write_text(f"#!/bin/sh\necho $0 $* >> '{ran}'\ncat\n")
    script.chmod(0o755)
    first = made.commit({"a.py": code("one", 9), ".gitattributes": "*.py filter=x diff=x\n"})
    for key in (
        "core.fsmonitor", "core.pager", "pager.log", "core.sshCommand", "core.editor",
        "diff.external", "diff.x.command", "diff.x.textconv", "filter.x.clean", "filter.x.smudge",
        "filter.x.process", "gpg.program", "core.askPass", "credential.helper", "alias.log",
    ):  # fmt: skip
        made.git("config", key, f"!{script}" if key.startswith("alias") else str(script))
    made.git("config", "log.showSignature", "true")
    made.git("config", "core.hooksPath", str(tmp_path))
    made.write("a.py", code("one", 20))
    found = history(made.root)
    assert len(list(found.commits())) == 1
    assert dict(found.files_at(first))["a.py"] == code("one", 9).encode()
    assert found.last_changed()
    assert not found.renames(first)
    assert not ran.exists()


@pytest.mark.skipif(os.name == "nt", reason="the planted program is a shell script")
def test_a_git_inside_the_repository_is_not_run(made: Repository, monkeypatch):
    made.commit({"a.py": "a = 1\n", "git": "#!/bin/sh\ntouch ran\n"})
    (made.root / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(made.root), prepend=os.pathsep)
    monkeypatch.chdir(made.root)
    assert History.of(made.root) is None
    assert not (made.root / "ran").exists()


def test_user_settings_change_nothing(made: Repository):
    made.commit({"a.py": code("one", 9)})
    made.git("mv", "a.py", "ü.py")
    made.commit({"b.py": code("two", 3)})
    before = list(history(made.root).commits())
    for setting in (
        "log.showSignature=true", "log.decorate=full", "color.ui=always", "diff.renames=false",
        "core.quotePath=true", "log.follow=true", "log.diffMerges=off", "diff.noprefix=true",
        "diff.orderFile=/absent", "log.date=iso", "format.pretty=oneline", "diff.relative=false",
    ):  # fmt: skip
        made.git("config", *setting.split("="))
    assert list(history(made.root).commits()) == before
    assert [commit.added for commit in before] == [5, 11]


def test_objects_that_are_missing_are_not_fetched(made: Repository, tmp_path: Path):
    made.git("config", "uploadpack.allowFilter", "true")
    first = made.commit({"a.py": code("one", 9)})
    made.commit({"a.py": code("two", 9)})
    clone = tmp_path / "partial"
    made.git("clone", "--quiet", "--filter=blob:none", made.root.as_uri(), str(clone))
    found = history(clone)
    assert found.last_changed() == {"a.py": START + DAY}
    with pytest.raises(GitError):
        list(found.files_at(first))


def test_faults_are_told(made: Repository):
    made.commit({"a.py": "a = 1\n"})
    git = Git.of(made.root)
    assert git is not None
    with pytest.raises(GitError, match="no commit's id"):
        history(made.root).tree("--output=x")
    with pytest.raises(GitError, match="cannot read the object"):
        list(git.objects(["0" * 40]))


@pytest.mark.skipif(os.name == "nt", reason="the slow program is a shell script")
def test_a_git_that_hangs_is_ended(tmp_path: Path):
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 100\n")
    slow.chmod(0o755)
    with pytest.raises(GitError, match=r"longer than 0\.1 s"):
        Git(str(slow), tmp_path).run("log", seconds=0.1)
    with pytest.raises(GitError, match="cannot be started"):
        Git(str(tmp_path / "absent"), tmp_path).run("log")


def test_a_reader_may_stop_early(made: Repository):
    ids = [made.commit({"a.py": code("one", lines)}) for lines in range(3, 9)]
    log = history(made.root).commits()
    assert next(log).id == ids[-1]
    log.close()
    assert all(newer.time > older.time for newer, older in pairwise(history(made.root).commits()))
