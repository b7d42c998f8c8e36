"""Files to outlines: order, reasons, the cache, and what processes may suffer."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from hypothesis import given

from lsp_server.store.files import RepositoryFile, Skipped
from tests.python_sources import SOURCES
from training.outlines import extraction_cache, parsing_pool
from training.outlines.extract import LONGEST_LINE, ExtractedFile, extract
from training.outlines.extraction_cache import ExtractionCache
from training.outlines.outline import outline
from training.outlines.parsing_pool import ParsingPool
from training.outlines.stored_outline import parsed, restored


def file(path: str, text: str, language: str = "python") -> RepositoryFile:
    return RepositoryFile(path, language, text, hashlib.sha256(text.encode()).hexdigest(), 0.0)


def small(number: int) -> RepositoryFile:
    return file(f"f{number}.py", f'def f{number}():\n    """Docs."""\n    return {number}\n')


def large(number: int) -> RepositoryFile:
    """A batch of its own."""
    return file(f"l{number}.py", f"name_{number} = [{number}, 'é']\n" * 300)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("training.outlines.extract.BATCH_CHARACTERS", 3_000)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed in this process, in order."""
    texts: list[str] = []
    real = parsing_pool.parsed

    def counted(text: str, language: str) -> bytes:
        texts.append(text)
        return real(text, language)

    monkeypatch.setattr(parsing_pool, "parsed", counted)
    return texts


def test_every_file_in_its_order_with_its_outline_or_a_reason():
    files = [
        small(1), Skipped("big.bin", "binary"), file("bad.py", "x = 1\ny = (\n"),
        file("empty.py", "\n"), file("README.md", "# Title\n", ""), small(2),
    ]  # fmt: skip
    first, *skipped, readme, last = extract(files, None)
    assert first == ExtractedFile(small(1), outline(small(1).text))
    assert skipped == [
        Skipped("big.bin", "binary"), Skipped("bad.py", "syntax error in line 2"),
        Skipped("empty.py", "no text"),
    ]  # fmt: skip
    assert isinstance(readme, ExtractedFile)
    assert readme.outline.pairs == ()
    assert isinstance(last, ExtractedFile)
    assert [pair.name for pair in last.outline.pairs] == ["f2"]


def test_other_languages_too():
    pytest.importorskip("tree_sitter", reason="needs tree-sitter: run `tenon setup train`")
    (found,) = extract([file("a.go", "package a\nfunc F() int { return 1 }\n", "go")], None)
    assert isinstance(found, ExtractedFile)
    assert [pair.name for pair in found.outline.pairs] == ["F"]


def test_one_very_long_line_is_skipped_before_it_is_parsed(calls: list[str]):
    fits = "x = 1" + "#" * (LONGEST_LINE - 5)
    files = [file("a.py", "x = [" + "1, " * 350_000 + "]\n"), file("b.py", fits + "#"),
             file("c.py", fits)]  # fmt: skip
    first, second, third = extract(files, None)
    assert first == Skipped("a.py", "a line of over 10000 characters")
    assert isinstance(second, Skipped)
    assert isinstance(third, ExtractedFile)
    assert calls == [fits]


def test_nothing_gives_nothing():
    assert list(extract([], None)) == []


def test_no_more_than_a_few_batches_are_held():
    read: list[int] = []

    def files() -> Iterator[RepositoryFile]:
        for number in range(50):
            read.append(number)
            yield large(number)

    stream = extract(files(), None, processes=1)
    next(stream)
    assert read == [0]
    next(stream)
    assert read == [0, 1]


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_change_nothing(processes: int):
    files = [entry for n in range(4) for entry in (large(n), small(n), file("b.py", "x = ("))]
    found = list(extract(files, None, processes=processes))
    assert [entry.file if isinstance(entry, ExtractedFile) else entry.path for entry in found] == [
        "b.py" if entry.path == "b.py" else entry for entry in files
    ]
    for entry in found:
        if isinstance(entry, ExtractedFile):
            assert entry.outline == outline(entry.file.text)


@given(text=SOURCES)
def test_what_is_stored_comes_back(text: str):
    found = outline(text)
    assert restored(parsed(text, "python"), text) == (found or "no text")


@pytest.mark.parametrize("damaged", [b"", b"abc", parsed("x = 1", "python")[:-3]])
def test_damaged_bytes_are_told(damaged: bytes):
    with pytest.raises(ValueError, match="no outline"):
        restored(damaged, "x = 1")


def test_only_changed_files_are_parsed_again(tmp_path: Path, calls: list[str]):
    files = [small(1), small(2), file("bad.py", "x = (")]
    with ExtractionCache(tmp_path / "new" / "cache.sqlite") as cache:
        first = list(extract(files, cache))
    assert len(calls) == 3
    changed = [small(1), replace(small(3), path="f2.py"), files[2], replace(small(1), path="c.py")]
    with ExtractionCache(tmp_path / "new" / "cache.sqlite") as cache:
        second = list(extract(changed, cache))
    assert calls[3:] == [small(3).text]
    assert second[0] == first[0]
    assert second[2] == first[2] == Skipped("bad.py", "syntax error in line 1")
    assert second == list(extract(changed, None))


def test_another_language_or_parser_is_another_outline(tmp_path: Path, monkeypatch):
    path = tmp_path / "cache.sqlite"
    with ExtractionCache(path) as cache:
        keys = {cache.key("x = 1", language) for language in ("python", "go", "")}
        assert len(keys) == 3
    monkeypatch.setattr(extraction_cache, "FORMAT", extraction_cache.FORMAT + 1)
    with ExtractionCache(path) as cache:
        assert cache.key("x = 1", "python") not in keys


@pytest.mark.parametrize("size", [0, 100, 4096])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, calls: list[str], size: int):
    path = tmp_path / "cache.sqlite"
    path.write_bytes(b"no database " * (size // 12))
    for _ in range(3):
        with ExtractionCache(path) as cache:
            assert isinstance(next(extract([small(1)], cache)), ExtractedFile)
            list(extract([small(2)], cache))
    assert calls == [small(1).text, small(2).text]


def test_a_page_that_is_damaged_later_ends_the_cache_and_not_the_run(tmp_path: Path):
    path = tmp_path / "cache.sqlite"
    files = [small(number) for number in range(300)]
    with ExtractionCache(path) as cache:
        expected = list(extract(files, cache))
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    for _ in range(2):
        with ExtractionCache(path) as cache:
            assert list(extract(files, cache)) == expected


def test_a_damaged_entry_is_parsed_again(tmp_path: Path, calls: list[str]):
    path = tmp_path / "cache.sqlite"
    with ExtractionCache(path) as cache:
        list(extract([small(1)], cache))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE outline SET value = ?", (b"rubbish",))
    database.close()
    for _ in range(2):
        with ExtractionCache(path) as cache:
            (found,) = extract([small(1)], cache)
    assert found == ExtractedFile(small(1), outline(small(1).text))
    assert len(calls) == 2


@pytest.mark.parametrize("where", ["folder", "file/cache.sqlite"])
def test_where_no_cache_can_be_there_is_none(tmp_path: Path, where: str):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with ExtractionCache(tmp_path / where) as cache:
        assert isinstance(next(extract([small(1)], cache)), ExtractedFile)


def test_a_cache_that_another_holds_is_done_without(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(extraction_cache, "_BUSY_SECONDS", 0.05)
    path = tmp_path / "cache.sqlite"
    ExtractionCache(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with ExtractionCache(path) as cache:
        (found,) = extract([small(1)], cache)
    other.close()
    assert isinstance(found, ExtractedFile)
    with ExtractionCache(path) as cache:
        list(extract([small(1)], cache))
    assert sqlite3.connect(path).execute("SELECT count(*) FROM outline").fetchone() == (1,)


def test_the_cache_keeps_what_was_used_last(tmp_path: Path, calls: list[str]):
    path = tmp_path / "cache.sqlite"
    limit = 3 * len(parsed(small(1).text, "python")) + 10
    for numbers in ([1, 2, 3], [1], [4, 5]):
        with ExtractionCache(path, limit) as cache:
            list(extract(map(small, numbers), cache))
    calls.clear()
    with ExtractionCache(path, limit) as cache:
        list(extract(map(small, [4, 5, 1]), cache))
    assert calls == []
    with ExtractionCache(path, limit) as cache:
        list(extract(map(small, [2, 3]), cache))
    assert calls == [small(2).text, small(3).text]


def test_a_text_that_kills_its_process_costs_itself_alone():
    texts = [(small(number).text, "python") for number in range(4)]
    # A signal from outside is what a fault in native code looks like from here.
    with ParsingPool(2) as pool:
        assert len(pool.submit(texts)()) == 4
        waiting = pool.submit([(large(1).text * 20, "python")] * 8)
        again = pool.submit(texts)
        _kill_children()
        assert waiting() == [parsed(large(1).text * 20, "python")] * 8
        assert again() == [parsed(*text) for text in texts]
        assert pool.submit(texts)() == [parsed(*text) for text in texts]


def test_a_text_that_kills_every_process_is_refused(monkeypatch):
    with ParsingPool(2) as pool:
        alone = parsing_pool._pool(1)
        alone.submit(os.getpid).result()
        pool._lone = alone
        future = alone.submit(time.sleep, 30)
        _kill_children()
        with pytest.raises(parsing_pool.BrokenProcessPool):
            future.result()
        assert restored(pool._alone(("x = 1", "python")), "x = 1") == "its parser crashed"
        # The next has a process again.
        assert restored(pool._alone(("x = 1", "python")), "x = 1") == outline("x = 1")


def _kill_children() -> None:
    deadline = time.monotonic() + 30
    while not (spawned := _spawned(os.getpid())):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for child in spawned:
        child.kill()


def _spawned(parent: int) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(parent).children()
        if "spawn_main" in " ".join(child.cmdline())
    ]


ENDLESS = """
import sys, itertools
from lsp_server.store.files import RepositoryFile
from training.outlines import extract as extracting
def files():
    for n in itertools.count():
        yield RepositoryFile(f"{n}.py", "python", f"name_{n} = [1, 2]\\n" * 500, str(n), 0.0)
if __name__ == "__main__":
    extracting.BATCH_CHARACTERS = 5_000
    for number, _ in enumerate(extracting.extract(files(), None, processes=2)):
        print(number, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")
@pytest.mark.parametrize("how", ["interrupt", "kill"])
def test_no_process_outlives_the_one_that_extracts(tmp_path: Path, how: str):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    root = Path(__file__).parents[4]
    running = subprocess.Popen(
        [sys.executable, script], env=os.environ | {"PYTHONPATH": str(root)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert running.stdout is not None
    for line in running.stdout:
        if int(line) >= 8:  # the processes are at work
            break
    children = _spawned(running.pid)
    assert len(children) == 2
    if how == "kill":
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGINT)  # a terminal's Ctrl+C reaches them all
    _, errors = running.communicate(timeout=60)
    gone, alive = psutil.wait_procs(children, timeout=30)
    assert len(gone) == 2
    assert alive == []
    if how == "interrupt":
        # One traceback, and it is of the process that was asked.
        assert errors.count("Traceback") == 1
        assert errors.rstrip().endswith("KeyboardInterrupt")
