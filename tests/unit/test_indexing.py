import asyncio

import pytest

from lsp_server.indexing import Indexer
from lsp_server.store.paths import StorePaths


@pytest.fixture
async def indexer(tmp_path):
    troubles = []
    made = Indexer(StorePaths(tmp_path / "home"), troubles.append)
    made.troubles = troubles
    yield made
    await made.aclose()


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "repo"
    folder.mkdir()
    # Would end any process that imported it.
    (folder / "lsp_server.py").write_text("raise SystemExit('hostile code ran')\n")
    (folder / "a.py").write_text("def first_thing(): ...\n")
    return folder


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what another process commits
            await asyncio.sleep(0.05)


async def test_a_folder_is_read_by_a_process_of_its_own_and_again_after_a_save(
    indexer, root, monkeypatch
):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    index = indexer.index_of(str(root))
    assert indexer.index_of(str(root)) is index
    await until(lambda: index.places(["first_thing"], ""))
    (root / "b.py").write_text("def second_thing(): ...\n")
    indexer.saved(str(root))
    await until(lambda: index.places(["second_thing"], ""))
    assert indexer.troubles == []


async def test_what_hinders_it_is_told_once(indexer, root, monkeypatch):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    (root / "tenon.toml").write_text("[files]\ninclude = 3\n")
    index = indexer.index_of(str(root))
    await until(lambda: indexer.troubles)
    (root / "tenon.toml").unlink()
    indexer.saved(str(root))
    await until(lambda: index.places(["first_thing"], ""))
    [message] = indexer.troubles
    assert "`files.include`" in message
    assert str(root) in message


async def test_a_fault_of_our_own_is_logged_and_the_next_save_is_followed(
    indexer, root, monkeypatch, caplog
):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("lsp_server.children.command", lambda *_: 1 / 0)
    index = indexer.index_of(str(root))
    await until(lambda: indexer.troubles)
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    indexer.saved(str(root))
    await until(lambda: index.places(["first_thing"], ""))


async def test_a_folder_that_is_closed_is_given_back_and_may_be_opened_again(indexer, root):
    index = indexer.index_of(str(root))
    await until(lambda: index.places(["first_thing"], ""))
    task = indexer._repositories[str(root)].task
    await indexer.close(str(root))
    await indexer.close(str(root))
    assert task.done()
    assert index._file._connection is None
    again = indexer.index_of(str(root))
    assert again is not index
    await until(lambda: again.places(["first_thing"], ""))


async def test_closing_ends_a_process_that_runs(indexer, root):
    indexer.index_of(str(root))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        await indexer.aclose()
    indexer.saved(str(root))  # nobody listens any more, and that is no error
