"""What happens between two keystrokes, over the protocol and with the real engine."""

import asyncio

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from tests.editors import editor

FUNCTION = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


@pytest.fixture
async def vscode(home, tmp_path):
    async with editor(home, tmp_path) as session:
        await session.ready()
        yield session


def change(session, uri, start, text, end=None):
    """One edit, as a key makes it."""
    span = types.Range(types.Position(*start), types.Position(*(end or start)))
    session.client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, uri),
            [types.TextDocumentContentChangePartial(span, text)],
        )
    )


async def test_a_request_that_is_withdrawn_and_asked_again_costs_one_answer(vscode):
    above = [f"value_{number} = {number}\n" for number in range(300)]  # reading them takes a while
    uri, line = vscode.open("".join(above) + FUNCTION), len(above) + 5
    request = asyncio.ensure_future(
        vscode.client.protocol.send_request_async(
            types.TEXT_DOCUMENT_INLINE_COMPLETION,
            vscode.params(uri, line, 12, automatic=True),
            msg_id="first",
        )
    )
    await asyncio.sleep(0.1)
    vscode.client.cancel_request(types.CancelParams("first"))
    with pytest.raises(JsonRpcException):
        await request
    assert await vscode.complete(uri, line, 12, automatic=True)
    assert await vscode.reason() in {"joined", "cache"}


async def test_what_follows_a_suggestion_is_there_when_it_is_accepted(vscode):
    uri = vscode.open(FUNCTION)
    [item] = await vscode.complete(uri, 5, 12)
    await asyncio.sleep(1)  # it is being read
    change(vscode, uri, (5, 12), item.insert_text)
    *_, last = (FUNCTION + item.insert_text).split("\n")
    line = (FUNCTION + item.insert_text).count("\n")
    await vscode.complete(uri, line, len(last), automatic=True)
    outcome = (await vscode.status()).recent[-1]
    timings = outcome.timings
    waited = getattr(timings, "engine_ms", 0.0)  # nothing, if the answer was there
    assert outcome.reason in {"joined", "cache"} or waited == 0 or waited > timings.total_ms


async def test_typing_along_works_through_brackets_that_the_editor_closes(vscode):
    text = "def total(rows):\n    return sum(rows)\n\n\ndef largest(rows):\n    return max"
    uri = vscode.open(text)
    [item] = await vscode.complete(uri, 5, 14)
    assert item.insert_text.startswith("(rows)")
    change(vscode, uri, (5, 14), "()")
    [rest] = await vscode.complete(uri, 5, 15, automatic=True)
    assert await vscode.reason() == "cache"
    assert "(" + rest.insert_text == item.insert_text
    assert rest.range == types.Range(types.Position(5, 15), types.Position(5, 16))


async def test_while_deleting_nothing_is_asked(vscode):
    uri = vscode.open("x = 12")
    change(vscode, uri, (0, 5), "", (0, 6))
    assert await vscode.complete(uri, 0, 5, automatic=True) == []
    assert await vscode.reason() == "deleting"


async def test_where_the_cursor_rests_the_prompt_is_read_before_anybody_asks(vscode):
    uri = vscode.open("value = compute(1)\n" * 40 + "value = \n" + "other = 1\n" * 40)
    change(vscode, uri, (0, 0), "#")  # somebody edits
    cursor = {"uri": uri, "line": 40, "character": 8}
    vscode.client.protocol.notify("tenon/cursor", cursor)
    await asyncio.sleep(3)
    await vscode.complete(uri, 40, 8, automatic=True)
    assert (await vscode.status()).recent[-1].timings.cache_n > 0
