"""What is under way between two keystrokes, through the provider."""

import asyncio
import dataclasses

import pytest

from lsp_server.completion import flight, idle
from lsp_server.completion.provider import CompletionProvider, ProviderOptions
from lsp_server.completion.reasons import Reason
from lsp_server.errors import EngineUnavailableError
from tests.fakes import QWEN_INFO, FakeEngine, settle
from tests.unit.completion.test_provider import URI, query


def slow(answer):
    return FakeEngine(answer, slow=True)


def ask(provider, engine, document, **options):
    return asyncio.create_task(provider.complete(query(document, **options), engine))


def type_to(provider, document, uri=URI):
    provider.typed(uri, lambda: tuple(document.split("‸")))


async def under_way(steps):
    """An engine that has written so many pieces of ``value + other``, and its provider."""
    engine, provider = slow("value + other\n"), CompletionProvider()
    ask(provider, engine, "x = ‸\n")
    await settle()
    await engine.step(steps)
    return engine, provider


async def test_who_types_along_what_is_under_way_is_answered_from_it():
    engine, provider = slow("value + other\n"), CompletionProvider()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    await engine.step(2)
    newer = ask(provider, engine, "x = val‸\n")
    assert (await older).reason is Reason.SUPERSEDED
    await engine.step(8)
    completion = await newer
    assert (completion.text, completion.reason) == ("ue + other", Reason.JOINED)
    assert completion.trace.raw.startswith("value + other")
    assert (len(engine.requests), engine.closed_streams) == (1, 1)


async def test_who_is_ahead_of_it_is_answered_from_it_once_it_has_caught_up():
    engine, provider = await under_way(1)
    newer = ask(provider, engine, "x = value +‸\n")
    await engine.step(8)
    assert (await newer).text == " other"
    assert len(engine.requests) == 1


async def test_a_key_that_contradicts_it_begins_another_at_once():
    engine, provider = await under_way(2)
    newer = ask(provider, engine, "x = w‸\n")
    await settle()
    assert (len(engine.requests), engine.closed_streams, engine.open_streams) == (2, 1, 1)
    engine.answer = "alue\n"
    await engine.step(8)
    assert (await newer).reason is Reason.SHOWN


async def test_what_it_writes_later_may_contradict_who_waits():
    engine, provider = await under_way(2)
    newer = ask(provider, engine, "x = value -‸\n")
    await settle()
    assert len(engine.requests) == 1
    engine.answer = " 1\n"
    await engine.step(2)
    assert len(engine.requests) == 2
    await engine.step(8)
    assert ((await newer).text, (await newer).reason) == (" 1", Reason.SHOWN)


async def test_one_that_has_written_nothing_yet_is_waited_for():
    engine, provider = slow("value\n"), CompletionProvider()
    ask(provider, engine, "x = ‸\n")
    await settle()
    newer = ask(provider, engine, "x = v‸\n")
    await settle()
    await engine.step(8)
    assert ((await newer).text, len(engine.requests)) == ("alue", 1)


async def test_a_withdrawn_request_leaves_it_to_the_next_one():
    engine, provider = slow("value + other\n"), CompletionProvider()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    await engine.step(2)
    older.cancel()
    with pytest.raises(asyncio.CancelledError):
        await older
    type_to(provider, "x = v‸\n")
    await engine.step(1)
    newer = ask(provider, engine, "x = v‸\n")
    await settle()
    await engine.step(8)
    assert ((await newer).text, (await newer).reason) == ("alue + other", Reason.JOINED)


async def test_nobody_comes_and_the_engine_is_free(monkeypatch):
    monkeypatch.setattr(flight, "GRACE_SECONDS", 0.01)
    engine, provider = slow("value\n"), CompletionProvider()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    older.cancel()
    await settle()
    assert engine.open_streams == 1
    async with asyncio.timeout(5):
        while engine.open_streams:  # noqa: ASYNC110 - a timer's work
            await asyncio.sleep(0.01)


async def test_an_edit_that_contradicts_it_frees_the_engine_before_anybody_asks():
    engine, provider = slow("value\n"), CompletionProvider()
    ask(provider, engine, "x = ‸\n").cancel()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    await engine.step(1)
    older.cancel()
    type_to(provider, "x = w‸\n")
    await settle()
    assert engine.open_streams == 0


async def test_what_nobody_waits_for_makes_room_for_another_document():
    engine, provider = slow("value\n"), CompletionProvider()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    older.cancel()
    await settle()
    newer = ask(provider, engine, "y = ‸\n", uri="file:///b.py")
    await settle()
    assert (engine.open_streams, engine.closed_streams) == (1, 1)
    await engine.step(8)
    assert (await newer).reason is Reason.SHOWN


async def test_a_complete_answer_is_kept_though_nobody_waited():
    engine, provider = slow("value\n"), CompletionProvider()
    older = ask(provider, engine, "x = ‸\n")
    await settle()
    older.cancel()
    await engine.step(8)
    completion = await ask(provider, engine, "x = va‸\n")
    assert (completion.text, completion.reason) == ("lue", Reason.CACHE)


async def test_when_time_is_up_the_lines_that_are_complete_are_shown():
    options = ProviderOptions(latency_target_ms=50)
    engine, provider = slow("\n    first()\n    second()\n"), CompletionProvider(options)
    asked = ask(provider, engine, "def f():‸\n")
    await settle()
    await engine.step(4)
    assert not asked.done()
    await asyncio.sleep(0.06)
    await engine.step(2)
    assert ((await asked).text, (await asked).reason) == ("\n    first()", Reason.SHOWN)
    await engine.step(12)
    whole = await ask(provider, engine, "def f():\n‸\n")
    assert (whole.text, whole.reason) == ("    first()\n    second()", Reason.CACHE)


LINES = "\n    first()\n    second()\n    third()\n"


async def early():
    """A provider that has shown ``first()`` below ``def f():`` when time was up, and its engine."""
    engine, provider = slow(LINES), CompletionProvider(ProviderOptions(latency_target_ms=30))
    asked = ask(provider, engine, "def f():‸\n")
    await settle()
    await engine.step(6)
    await asyncio.sleep(0.04)
    await settle()
    assert (await asked).text == "\n    first()"
    return engine, provider


async def test_patience_does_not_begin_again_for_who_joins():
    engine, provider = await early()
    accepting = ask(provider, engine, "def f():\n    first()‸\n")
    await engine.step(2)
    assert not accepting.done()  # its line is not whole yet
    await engine.step(1)
    assert accepting.done()
    completion = await accepting
    assert (completion.text, completion.reason) == ("\n    second()", Reason.JOINED)
    assert len(engine.requests) == 1


async def test_who_is_ahead_when_time_is_up_waits_and_does_not_spin():
    engine, provider = await early()
    ahead = ask(provider, engine, "def f():\n    first()\n    sec‸\n")
    async with asyncio.timeout(5):
        await engine.step(12)
        assert (await ahead).text == "ond()"
    assert len(engine.requests) == 1


async def test_the_first_lines_are_remembered_while_the_others_are_written():
    engine, provider = await early()
    completion = await ask(provider, engine, "def f():\n‸\n")
    assert (completion.text, completion.reason) == ("    first()", Reason.CACHE)


async def test_the_first_lines_are_remembered_though_the_others_were_not_wanted():
    engine, provider = await early()
    type_to(provider, "def f():\n    x‸\n")
    await settle()
    assert engine.open_streams == 0
    completion = await ask(provider, engine, "def f():‸\n")
    assert (completion.text, completion.reason) == ("\n    first()", Reason.CACHE)


async def test_who_asks_by_hand_gets_all_lines():
    engine, provider = await early()
    whole = ask(provider, engine, "def f():‸\n", automatic=False)
    await engine.step(20)
    assert (await whole).text == LINES.rstrip()
    assert len(engine.requests) == 2


async def test_what_goes_on_by_itself_is_not_begun_ahead_as_well(monkeypatch):
    monkeypatch.setattr(idle, "PAUSE_SECONDS", 0.01)
    engine, _provider = await early()
    await asyncio.sleep(0.03)
    await settle()
    assert (len(engine.requests), engine.open_streams) == (1, 1)


async def test_other_options_end_what_is_under_way():
    engine, provider = slow(LINES), CompletionProvider()
    asked = ask(provider, engine, "def f():‸\n")
    await settle()
    provider.configure(ProviderOptions(multiline="never"))
    assert (await asked).text == ""
    assert engine.open_streams == 0


async def test_a_fault_of_our_own_is_logged_where_nobody_waits(caplog):
    engine, provider = FakeEngine(error=ValueError("odd")), CompletionProvider()
    engine.blocked.clear()
    asked = ask(provider, engine, "x = ‸\n")
    await settle()
    asked.cancel()
    await settle()
    engine.blocked.set()
    await settle()
    assert "ValueError: odd" in caplog.text


async def test_by_hand_no_automatic_answer_is_waited_for_and_one_by_hand_is():
    info = dataclasses.replace(QWEN_INFO, least_confidence=-0.5)
    engine = FakeEngine("\n    first()\n", info=info, slow=True, token_logprob=-1.0)
    provider = CompletionProvider()
    ask(provider, engine, "def f():‸\n")
    await settle()
    ask(provider, engine, "def f():‸\n", automatic=False)
    await settle()
    assert len(engine.requests) == 2
    again = ask(provider, engine, "def f():‸\n", automatic=False)
    await engine.step(12)
    assert (await again).text == "\n    first()"
    assert len(engine.requests) == 2


async def test_by_hand_only_an_answer_of_that_extent_is_waited_for():
    engine, provider = slow("value\n"), CompletionProvider()
    ask(provider, engine, "x = ‸\n")
    await settle()
    await engine.step(1)
    ask(provider, engine, "x = ‸\n", automatic=False)
    await settle()
    assert len(engine.requests) == 2


async def test_trouble_of_what_was_joined_is_the_joiners():
    engine, provider = FakeEngine(error=EngineUnavailableError("gone")), CompletionProvider()
    engine.blocked.clear()
    ask(provider, engine, "x = ‸\n")
    await settle()
    newer = ask(provider, engine, "x = ‸\n")
    await settle()
    engine.blocked.set()
    assert (await newer).reason is Reason.ENGINE_UNAVAILABLE
