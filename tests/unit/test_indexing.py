import asyncio

import pytest

from lsp_server.indexing import Indexer
from lsp_server.store.paths import StorePaths


@pytest.fixture
async def indexer(tmp_path):
    troubles, texts = [], {}
    made = Indexer(StorePaths(tmp_path / "home"), lambda root: texts, troubles.append)
    made.troubles, made.texts = troubles, texts
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


async def test_a_folder_is_read_by_a_process_of_its_own(indexer, root):
    index = indexer.index_of(str(root))
    assert indexer.index_of(str(root)) is index
    await until(lambda: index.places(["first_thing"], ""))
    assert indexer.troubles == []


async def indexed(indexer, root, monkeypatch):
    """A folder's index; its process has ended, and nothing else is seen of the disk."""
    index = indexer.index_of(str(root))
    await until(lambda: index.places(["first_thing"], ""))
    looks = []

    async def refresh(folder):
        looks.append(folder)
        return ""

    monkeypatch.setattr(indexer, "_refresh", refresh)
    return index, looks


async def test_a_save_is_taken_in_at_once_and_without_a_look_at_the_rest(
    indexer, root, monkeypatch
):
    index, looks = await indexed(indexer, root, monkeypatch)
    (root / "b.py").write_text("def second_thing(): ...\n")
    (root / "c.py").write_text("def third_thing(): ...\n")
    indexer.saved(str(root), "b.py")
    await until(lambda: index.places(["second_thing"], ""))
    assert index.places(["third_thing"], "") == []
    assert looks == []


@pytest.mark.parametrize("path", [".gitignore", "deep/.gitignore", "tenon.toml", "large.py"])
async def test_what_tells_of_other_files_and_large_ones_have_the_folder_looked_at(
    indexer, root, monkeypatch, path
):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("lsp_server.indexing.MOST_BYTES", 10)
    _, looks = await indexed(indexer, root, monkeypatch)
    (root / "large.py").write_text("large_thing = 12345678\n")
    indexer.saved(str(root), path)
    await until(lambda: looks)
    assert set(looks) == {str(root)}


async def test_of_many_files_that_are_saved_together_a_process_reads_the_rest(
    indexer, root, monkeypatch
):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("lsp_server.indexing.SAVES_AT_ONCE", 2)
    index, looks = await indexed(indexer, root, monkeypatch)
    for number in range(4):
        (root / f"m{number}.py").write_text(f"def thing_{number}(): ...\n")
        indexer.saved(str(root), f"m{number}.py")
    await until(lambda: looks and len(index.places(["thing_0", "thing_1"], "")) == 2)


async def test_what_somebody_types_in_another_document_is_known(indexer, root, monkeypatch):
    index, _ = await indexed(indexer, root, monkeypatch)
    indexer.texts["a.py"] = "def typed_thing(): ...\n"
    index.version("b.py")
    assert [place.name for place in index.places(["first_thing", "typed_thing"], "b.py")] == [
        "typed_thing"
    ]


async def test_what_hinders_it_is_told_once(indexer, root, monkeypatch):
    monkeypatch.setattr("lsp_server.indexing.SAVE_SECONDS", 0.0)
    (root / "tenon.toml").write_text("[files]\ninclude = 3\n")
    index = indexer.index_of(str(root))
    await until(lambda: indexer.troubles)
    (root / "tenon.toml").unlink()
    indexer.saved(str(root), "tenon.toml")
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
    indexer.saved(str(root), "tenon.toml")
    await until(lambda: index.places(["first_thing"], ""))


async def test_a_folder_that_is_closed_is_given_back_and_may_be_opened_again(indexer, root):
    index = indexer.index_of(str(root))
    await until(lambda: index.places(["first_thing"], ""))
    task = indexer._repositories[str(root)].task
    await indexer.close(str(root))
    await indexer.close(str(root))
    assert task.done()
    assert index._below._file._connection is None
    again = indexer.index_of(str(root))
    assert again is not index
    await until(lambda: again.places(["first_thing"], ""))


async def test_closing_ends_a_process_that_runs(indexer, root):
    indexer.index_of(str(root))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        await indexer.aclose()
    indexer.saved(str(root), "a.py")  # nobody listens any more, and that is no error
