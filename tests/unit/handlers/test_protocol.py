"""What pygls keeps of messages that were handled."""

import pytest
from lsprotocol import types

from lsp_server.server import TenonServer
from lsp_server.store.paths import StorePaths
from tests.fakes import settle

URI = "file:///w/a.py"


class Unread:
    """Where answers go."""

    def write(self, data):
        del data


@pytest.fixture
async def server(tmp_path):
    made = TenonServer(StorePaths(tmp_path / "home"))
    made.protocol.set_writer(Unread())
    params = types.InitializeParams(types.ClientCapabilities())
    made.protocol._handle_request(1, types.INITIALIZE, params)
    await settle()
    return made


async def test_nothing_is_kept_of_keystrokes(server):
    handle = server.protocol._handle_notification
    document = types.TextDocumentItem(URI, "python", 1, "x")
    handle(types.TEXT_DOCUMENT_DID_OPEN, types.DidOpenTextDocumentParams(document))
    for version in range(2, 30):
        start = types.Position(0, 0)
        change = types.TextDocumentContentChangePartial(types.Range(start, start), "x")
        identifier = types.VersionedTextDocumentIdentifier(version, URI)
        handle(
            types.TEXT_DOCUMENT_DID_CHANGE, types.DidChangeTextDocumentParams(identifier, [change])
        )
    await settle()
    assert server.workspace.opened(URI).source == "x" * 29
    assert server.protocol._request_futures == {}


async def test_a_request_that_runs_can_be_cancelled(server):
    position = types.Position(0, 0)
    context = types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked)
    params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(URI), position)
    server.protocol._handle_request(2, types.TEXT_DOCUMENT_INLINE_COMPLETION, params)
    future = server.protocol._request_futures[2]
    server.protocol._handle_notification(types.CANCEL_REQUEST, types.CancelParams(2))
    await settle()
    assert future.cancelled()
    assert server.protocol._request_futures == {}
