"""A real tree, watched as this system does and by looking now and then."""

import errno
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("watchdog", reason="needs watchdog: run `tenon setup train`")

from lsp_server.store.rules import Rules
from training.watching.bursts import Changed
from training.watching.observing import Observation, native, observe
from training.watching.polling import Poller

SECONDS = 10.0


class Heard:
    """What an observation of a tree tells."""

    def __init__(self, root: Path, begin: Callable[..., Observation]) -> None:
        self.root = root
        self.changes: list[Changed] = []
        self.told: list[str] = []
        self.observation = begin(root, Rules.of(root), self.changes.append, self.told.append)

    def folders(self) -> set[str]:
        return {folder for it in list(self.changes) for folder in it.folders or {"all"}}

    def until(self, *folders: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not set(folders) <= self.folders():
            assert time.monotonic() < deadline, f"{folders} not in {self.folders()}"
            time.sleep(0.01)

    def settled(self) -> set[str]:
        """What was told, once a file that is written now was told of."""
        (self.root / "mark").mkdir()
        (self.root / "mark/m.py").write_text("m = 1\n")
        self.until("mark/")
        time.sleep(0.1)
        return self.folders() - {"mark/", ""}


def polled(root, rules, changed, told):
    return observe(root, rules, changed, told, way=refuse(errno.ENOSPC), poll=quick)


def quick(root, rules, changed):
    return Poller(root, rules, changed, seconds=0.1)


def refuse(number: int):
    def way(*_arguments: object) -> Observation:
        raise OSError(number, "inotify watch limit reached")

    return way


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("src/a.py", "src/deep/b.py", "node_modules/x/c.js", "out/d.py", ".git/HEAD"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("out/\n")
    return tmp_path


@pytest.fixture(params=[observe, polled], ids=["native", "polling"])
def heard(tree: Path, request: pytest.FixtureRequest) -> Iterator[Heard]:
    made = Heard(tree, request.param)
    yield made
    made.observation.stop()


def test_a_saved_file_is_a_change_of_its_folder(heard):
    (heard.root / "src/deep/b.py").write_text("y = 22\n")
    heard.until("src/deep/")
    assert heard.settled() == {"src/deep/"}


def test_an_editors_atomic_save_is_seen(heard):
    temporary = heard.root / "src/.a.py.tmp"
    temporary.write_text("y = 22\n")
    temporary.replace(heard.root / "src/a.py")
    heard.until("src/")


def test_a_renamed_file_is_seen(heard):
    (heard.root / "src/a.py").rename(heard.root / "src/z.py")
    heard.until("src/")


def test_a_deleted_file_is_seen(heard):
    (heard.root / "src/a.py").unlink()
    heard.until("src/")


def test_new_folders_are_watched_and_moved_ones_followed(heard):
    (heard.root / "new/er").mkdir(parents=True)
    (heard.root / "new/er/e.py").write_text("e = 1\n")
    heard.until("new/er/")
    (heard.root / "new").rename(heard.root / "old")
    heard.until("old/er/")
    heard.changes.clear()
    (heard.root / "old/er/e.py").write_text("e = 22\n")
    heard.until("old/er/")
    shutil.rmtree(heard.root / "src")
    heard.until("src/deep/")


def test_what_is_ignored_is_not_told_of(heard):
    for path in ("node_modules/x/c.js", "out/d.py", ".git/HEAD", "src/a.log"):
        (heard.root / path).write_text("y = 22\n")
    (heard.root / "node_modules/y").mkdir()
    (heard.root / "node_modules/y/i.js").write_text("y\n")
    assert heard.settled() == set()


def test_other_rules_are_told_as_such(heard):
    (heard.root / "tenon.toml").write_text("[files]\nexclude = ['src']\n")
    deadline = time.monotonic() + SECONDS
    while not any(change.rules for change in heard.changes):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify counts folders")
def test_ignored_folders_get_no_watch(tree):
    for number in range(50):
        (tree / f"node_modules/p{number}/lib").mkdir(parents=True)
    heard = Heard(tree, observe)
    try:
        assert heard.observation.count == 3  # the root, src, src/deep
        (tree / "node_modules/late/lib").mkdir(parents=True)
        heard.settled()
        assert heard.observation.count == 4
    finally:
        heard.observation.stop()
    assert kernel_watches() == 0


def kernel_watches() -> int:
    folder = Path("/proc/self/fdinfo")
    texts = [it.read_text() for it in folder.iterdir() if it.exists()]
    return sum(text.count("inotify wd:") for text in texts)


@pytest.mark.parametrize(
    ("number", "sysctl"),
    [
        (errno.ENOSPC, "fs.inotify.max_user_watches"),
        (errno.EMFILE, "fs.inotify.max_user_instances"),
    ],
)
def test_a_limit_leads_to_looking_and_names_the_sysctl(tree, number, sysctl):
    told: list[str] = []
    changes: list[Changed] = []
    observation = observe(
        tree, Rules.of(tree), changes.append, told.append, way=refuse(number), poll=quick
    )
    try:
        [sentence] = told
        assert f"sudo sysctl {sysctl}=" in sentence
        (tree / "src/a.py").write_text("z = 333\n")
        deadline = time.monotonic() + SECONDS
        while not changes:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert changes == [Changed(frozenset(("src/",)))]
    finally:
        observation.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify alone has limits")
def test_a_limit_that_is_reached_later_is_told_and_has_the_tree_watched_anew(tree, monkeypatch):
    heard = Heard(tree, observe)
    try:
        from watchdog.observers.inotify_c import InotifyFD

        monkeypatch.setattr(InotifyFD, "add_callback", refuse(errno.ENOSPC))
        (tree / "more").mkdir()
        deadline = time.monotonic() + SECONDS
        while not any(change.rules for change in heard.changes):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert "max_user_watches" in heard.told[0]
        assert heard.told[1:] == []
    finally:
        heard.observation.stop()
    with pytest.raises(OSError, match="limit reached"):
        native(tree, Rules(), print, print)


def test_a_branch_switch_names_few_folders_and_a_tree_that_is_copied_in_is_covered(heard):
    source = Path(os.__file__).parent / "json"
    shutil.copytree(source, heard.root / "vendor_json", ignore=shutil.ignore_patterns("__py*"))
    heard.until("vendor_json/")
    subprocess.run(["touch", *map(str, (heard.root / "vendor_json").glob("*.py"))], check=True)
    assert heard.settled() == {"vendor_json/"}
