"""A command's first step: the starter on disk, and then in the engine that serves an older one."""

from pathlib import Path

import pytest

from lsp_server.commands import starter
from lsp_server.commands.starter import bring_starter
from lsp_server.errors import EngineRequestError
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.paths import StorePaths


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list:
    """What is done, in order."""
    steps: list = []

    def ensure(_store, begun):
        begun(load_catalogue()[STARTER])

    def switch(_paths, name, *, instead_of):
        steps.append((name, instead_of))

    monkeypatch.setattr(starter, "ensure_starter", ensure)
    monkeypatch.setattr(starter, "switch_model", switch)
    return steps


async def test_an_engine_that_serves_an_older_one_switches(tmp_path: Path, done: list):
    await bring_starter(StorePaths(tmp_path), lambda entry: done.append(entry.name))
    assert done == [STARTER, (STARTER, STARTER)]


async def test_nothing_is_done_where_it_is_not_due(tmp_path: Path, done: list, monkeypatch):
    monkeypatch.setattr(starter, "starter_is_due", lambda _store: False)
    await bring_starter(StorePaths(tmp_path), lambda entry: done.append(entry.name))
    assert done == []


async def test_an_engine_that_cannot_serve_it_goes_on(
    tmp_path: Path, done: list, monkeypatch, caplog
):
    def refuse(*_arguments, **_options):
        raise EngineRequestError("no room for two models")

    monkeypatch.setattr(starter, "switch_model", refuse)
    await bring_starter(StorePaths(tmp_path), lambda _entry: None)
    assert "goes on with the older starter: no room for two models" in caplog.text
