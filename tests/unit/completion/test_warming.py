import asyncio

import pytest

from lsp_server.completion import idle, provider
from lsp_server.completion.provider import CompletionProvider
from lsp_server.completion.reasons import Reason
from lsp_server.errors import EngineUnavailableError
from tests.fakes import FakeEngine, settle
from tests.unit.completion.test_flight import ask, type_to
from tests.unit.completion.test_provider import query


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(idle, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def editing():
    """A provider in whose editor a key has just been pressed."""
    known = CompletionProvider()
    type_to(known, "x‸")
    return known


async def pause():
    await asyncio.sleep(0.05)
    await settle()


async def test_where_a_cursor_rests_the_prompt_is_read_beforehand(editing):
    engine = FakeEngine("1\n")
    editing.rests(query("below\nx = ‸\n"), engine)
    await pause()
    [read] = engine.requests
    assert (read.max_tokens, engine.open_streams) == (1, 0)
    completion = await ask(editing, engine, "below\nx = ‸\n")
    assert (completion.text, completion.reason) == ("1", Reason.SHOWN)
    assert engine.requests[1].prompt == read.prompt


async def test_a_request_comes_first(editing):
    engine = FakeEngine("1\n")
    engine.blocked.clear()
    editing.rests(query("x = ‸\n"), engine)
    await pause()
    asked = ask(editing, engine, "y = ‸\n", uri="file:///b.py")
    await settle()
    assert (engine.open_streams, engine.closed_streams) == (1, 1)
    engine.blocked.set()
    assert (await asked).reason is Reason.SHOWN


async def test_who_only_reads_costs_nothing(editing, monkeypatch):
    monkeypatch.setattr(provider, "EDITING_SECONDS", 0.0)
    engine = FakeEngine("1\n")
    editing.rests(query("x = ‸\n"), engine)
    CompletionProvider().rests(query("x = ‸\n"), engine)
    await pause()
    assert engine.requests == []


async def test_where_somebody_has_asked_already_nothing_is_read(editing):
    engine = FakeEngine("")
    await ask(editing, engine, "x = ‸\n")
    editing.rests(query("x = ‸\n"), engine)
    await pause()
    assert len(engine.requests) == 1


async def test_trouble_is_left_to_the_next_request(editing):
    editing.rests(query("x = ‸\n"), FakeEngine(error=EngineUnavailableError("gone")))
    await pause()
