"""What pygls keeps of messages that were handled."""

import asyncio
import json

import pytest
from lsprotocol import types

from lsp_server.server import TenonServer
from lsp_server.store.paths import StorePaths
from tests.fakes import settle

URI = "file:///w/a.py"


class Sent:
    """Where answers go; ``bodies`` are those that went."""

    def __init__(self):
        self.bodies = []

    def write(self, data):
        self.bodies.append(json.loads(data.partition(b"\r\n\r\n")[2]))


@pytest.fixture
async def server(tmp_path):
    made = TenonServer(StorePaths(tmp_path / "home"))
    made.protocol.set_writer(Sent())
    folders = [types.WorkspaceFolder("file:///w", "w")]
    params = types.InitializeParams(types.ClientCapabilities(), workspace_folders=folders)
    made.protocol._handle_request(1, types.INITIALIZE, params)
    await settle()
    return made


def type_keys(server, count):
    handle = server.protocol._handle_notification
    document = types.TextDocumentItem(URI, "python", 1, "x")
    handle(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(document))
    start = types.Position(0, 0)
    change = types.TextDocumentContentChangePartial(types.Range(start, start), "x")
    for version in range(2, 2 + count):
        identifier = types.VersionedTextDocumentIdentifier(version, URI)
        params = types.DidChangeTextDocumentParams(identifier, [change])
        handle(types.TEXT_DOCUMENT_DID_CHANGE, params)


def ask(server, number, kind):
    context = types.InlineCompletionContext(kind)
    identifier, position = types.TextDocumentIdentifier(URI), types.Position(0, 0)
    params = types.InlineCompletionParams(context, identifier, position)
    server.protocol._handle_request(number, types.TEXT_DOCUMENT_INLINE_COMPLETION, params)


async def test_nothing_is_kept_of_keystrokes(server):
    type_keys(server, 28)
    await settle()
    assert server.workspace.opened(URI).source == "x" * 29
    assert server.protocol._request_futures == {}


async def test_a_request_that_runs_can_be_cancelled(server):
    ask(server, 2, types.InlineCompletionTriggerKind.Invoked)
    future = server.protocol._request_futures[2]
    server.protocol._handle_notification(types.CANCEL_REQUEST, types.CancelParams(2))
    await settle()
    assert future.cancelled()
    assert server.protocol._request_futures == {}


async def test_a_shutdown_is_answered_whatever_still_runs(server, monkeypatch):
    monkeypatch.setattr(server, "begin", asyncio.Event().wait)
    server.protocol._handle_notification(types.INITIALIZED, types.InitializedParams())
    await settle()
    server.protocol._handle_request(9, types.SHUTDOWN, None)
    await settle()
    assert server.protocol.writer.bodies[-1] == {"id": 9, "jsonrpc": "2.0", "result": None}


class Heard:
    """Whoever learns a repository, or reads it, or has adapters of it."""

    def __init__(self):
        self.keys, self.closed = 0, []

    def typed(self, *_root):
        self.keys += 1

    def report_of(self, root):
        del root

    async def close(self, root):
        self.closed.append(root)


async def test_a_key_and_a_request_by_hand_make_the_trainer_wait_once_each(server):
    server.session.trainers = heard = Heard()
    type_keys(server, 1)
    await settle()
    ask(server, 2, types.InlineCompletionTriggerKind.Automatic)
    await settle()
    assert heard.keys == 1
    ask(server, 3, types.InlineCompletionTriggerKind.Invoked)
    await settle()
    assert heard.keys == 2


async def test_a_folder_that_is_closed_is_given_back_by_all_parts(server):
    server._indexer, server._adapters, server.learning = parts = Heard(), Heard(), Heard()
    await server.close_folder("/w")
    assert [part.closed for part in parts] == [["/w"]] * 3
