import asyncio

import pytest

from lsp_server.completion import idle
from lsp_server.completion.provider import CompletionProvider
from lsp_server.completion.reasons import Reason
from tests.fakes import FakeEngine, settle
from tests.unit.completion.test_flight import ask, type_to


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(idle, "PAUSE_SECONDS", 0.01)


@pytest.fixture
async def shown():
    """A provider that has shown ``1`` at ``x = ‸``."""
    engine, provider = FakeEngine("1\n"), CompletionProvider()
    assert (await ask(provider, engine, "x = ‸\n")).text == "1"
    engine.answer = "\ny = 2\n"
    return engine, provider


async def looked_ahead(engine, count=2):
    async with asyncio.timeout(5):
        while len(engine.requests) < count:  # noqa: ASYNC110 - a timer's work
            await asyncio.sleep(0.005)
    await settle()


async def test_what_comes_after_an_accepted_answer_is_there_already(shown):
    engine, provider = shown
    await looked_ahead(engine)
    completion = await ask(provider, engine, "x = 1‸\n")
    assert (completion.text, completion.reason) == ("\ny = 2", Reason.CACHE)
    assert completion.trace.raw.startswith("\ny = 2")


async def test_it_is_joined_if_it_is_still_being_written(shown):
    engine, provider = shown
    engine.blocked.clear()
    await looked_ahead(engine)
    type_to(provider, "x = 1‸\n")
    accepting = ask(provider, engine, "x = 1‸\n")
    await settle()
    engine.blocked.set()
    assert ((await accepting).reason, len(engine.requests)) == (Reason.JOINED, 2)


async def test_any_other_request_comes_first(shown):
    engine, provider = shown
    engine.blocked.clear()
    await looked_ahead(engine)
    other = ask(provider, engine, "z = 0‸\n", uri="file:///b.py")
    await settle()
    assert engine.open_streams == 1
    engine.blocked.set()
    assert (await other).reason is Reason.SHOWN


async def test_a_key_that_leads_elsewhere_ends_it(shown):
    engine, provider = shown
    engine.blocked.clear()
    await looked_ahead(engine)
    type_to(provider, "x = 1‸\n")
    await settle()
    assert engine.open_streams == 1
    type_to(provider, "x = 2‸\n")
    await settle()
    assert engine.open_streams == 0


async def test_whoever_goes_on_typing_is_not_followed(shown):
    engine, provider = shown
    type_to(provider, "x = 2‸\n")
    await asyncio.sleep(0.05)
    assert len(engine.requests) == 1


async def test_where_nothing_would_be_asked_nothing_is_written():
    engine, provider = FakeEngine("f(a)\n"), CompletionProvider()
    await ask(provider, engine, "x = ‸\n")
    await asyncio.sleep(0.05)
    assert len(engine.requests) == 1
