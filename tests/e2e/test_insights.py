"""Why, the report, diagnostics and feedback over LSP, with the real model behind them."""

import sqlite3
from contextlib import closing

import pytest
from lsprotocol import types

from lsp_server import protocol
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.editors import editor, hostile_workspace

DOCUMENT = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


@pytest.fixture
def workspace(tmp_path):
    return hostile_workspace(tmp_path / "repo sitory")


async def ask(session, method, params=None):
    return await session.client.protocol.send_request_async(method, params)


def field(answer, name):
    return answer[name] if isinstance(answer, dict) else getattr(answer, name)


async def accepted(session):
    """Have a suggestion shown, and accept it; returns its document and itself."""
    await session.ready()
    uri = session.open(DOCUMENT)
    [item] = await session.complete(uri, 5, 12, automatic=True)
    [identifier] = item.command.arguments
    event = {"id": identifier, "kind": "shown", "inferred": True}
    session.client.protocol.notify(protocol.EVENT, event)
    accept = types.ExecuteCommandParams(item.command.command, item.command.arguments)
    assert await session.client.workspace_execute_command_async(accept) is True
    return uri, item


async def test_why_tells_what_was_sent(home, workspace):
    async with editor(home, workspace) as session:
        await session.ready()
        assert await ask(session, protocol.WHY, {}) is None
        uri = session.open(DOCUMENT)
        [item] = await session.complete(uri, 5, 12, automatic=True)
        why = await ask(session, protocol.WHY, {"uri": uri})
        assert field(why, "reason") == "shown"
        assert field(why, "answeredBy") == "engine"
        assert field(why, "text") == item.insert_text
        segments = field(why, "segments")
        kinds = {field(segment, "kind") for segment in segments}
        assert {"token", "prefix"} <= kinds
        assert any("def subtract" in field(segment, "text") for segment in segments)
        assert await ask(session, protocol.WHY, {"uri": "file:///other.py"}) is None


async def test_what_became_of_a_suggestion_is_kept_without_its_text(home, workspace):
    paths = StorePaths(home)
    async with editor(home, workspace) as session:
        _, item = await accepted(session)
        session.client.protocol.notify(protocol.EVENT, {"id": 7, "kind": "odd"})
    with closing(sqlite3.connect(paths.feedback)) as connection:
        row = connection.execute(
            "SELECT repository, language, model, characters FROM suggestions WHERE id = ?",
            item.command.arguments,
        ).fetchone()
        events = connection.execute(
            "SELECT kind, inferred FROM events WHERE suggestion = ?", item.command.arguments
        ).fetchall()
    folder = RepositoryStore.of(paths, workspace).folder.name
    assert row == (folder, "python", "tenon-starter", len(item.insert_text))
    assert events == [("shown", 1), ("accepted", 0)]
    assert b"return a" not in paths.feedback.read_bytes()


async def test_nothing_is_kept_where_the_user_said_no(home, workspace):
    feedback = StorePaths(home).feedback
    for part in feedback.parent.glob(f"{feedback.name}*"):
        part.unlink()
    async with editor(home, workspace, options={"feedback": False}) as session:
        await session.ready()
        assert await session.complete(session.open(DOCUMENT), 5, 12, automatic=True)
    assert not feedback.exists()


async def test_a_report_is_one_page(home, workspace):
    async with editor(home, workspace) as session:
        await session.ready()
        answer = await ask(session, protocol.REPORT, {"uri": workspace.as_uri() + "/a.py"})
        html = field(answer, "html")
        assert html.startswith("<!DOCTYPE html>")
        assert "<h1>repo sitory</h1>" in html
        assert "<script" not in html


async def test_a_report_has_what_was_accepted_a_moment_ago(home, workspace):
    async with editor(home, workspace) as session:
        uri, _ = await accepted(session)
        html = field(await ask(session, protocol.REPORT, {"uri": uri}), "html")
        assert "nothing shown yet" not in html


async def test_diagnostics_hold_no_source(home, workspace):
    async with editor(home, workspace) as session:
        await session.ready()
        await session.complete(session.open(DOCUMENT), 5, 12, automatic=True)
        text = await ask(session, protocol.DIAGNOSTICS)
        assert "ready: tenon-starter is serving." in text
        assert "llama-cpp-python" in text
        assert "shown " in text
        assert "subtract" not in text
