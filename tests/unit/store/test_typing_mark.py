import os

from lsp_server.store.paths import StorePaths
from lsp_server.store.typing_mark import TypingMark


def test_a_key_is_new_once_for_everybody_who_looks(tmp_path):
    paths = StorePaths(tmp_path / "home")
    server, first, second = TypingMark(paths), TypingMark(paths), TypingMark(paths)
    assert not first.is_new()
    server.set()
    assert (first.is_new(), second.is_new()) == (True, True)
    assert not first.is_new()
    assert not TypingMark(paths).is_new()  # what was before it


def test_a_clock_that_was_set_back_hides_no_key(tmp_path):
    paths = StorePaths(tmp_path / "home")
    server, watcher = TypingMark(paths), TypingMark(paths)
    server.set()
    assert watcher.is_new()
    stepped = paths.typed.stat().st_mtime - 3600
    os.utime(paths.typed, (stepped, stepped))
    assert watcher.is_new()


def test_a_home_that_is_gone_or_cannot_be_written_is_no_key(tmp_path):
    paths = StorePaths(tmp_path / "home")
    server, watcher = TypingMark(paths), TypingMark(paths)
    server.set()
    assert watcher.is_new()
    paths.typed.unlink()
    assert not watcher.is_new()
    (tmp_path / "file").touch()
    TypingMark(StorePaths(tmp_path / "file")).set()
