"""The messages of a keystroke: read and written by hand, they are what the converter makes of them."""

import json

import pytest
from lsprotocol import types
from pygls.protocol import default_converter

from lsp_server.keystrokes import answer_to, message_of

HERE = {"line": 3, "character": 7}
SPAN = {"start": {"line": 3, "character": 5}, "end": HERE}


def edited(*changes):
    return {
        "jsonrpc": "2.0",
        "method": "textDocument/didChange",
        "params": {
            "textDocument": {"uri": "file:///a.py", "version": 4},
            "contentChanges": list(changes),
        },
    }


def asked(identifier=1, **context):
    return {
        "jsonrpc": "2.0",
        "id": identifier,
        "method": "textDocument/inlineCompletion",
        "params": {
            "textDocument": {"uri": "file:///a.py"},
            "position": HERE,
            "context": {"triggerKind": 2} | context,
        },
    }


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (edited({"range": SPAN, "text": "x"}), types.DidChangeTextDocumentNotification),
        (
            edited({"range": SPAN, "text": "\ud83d"}, {"text": "all of it"}),
            types.DidChangeTextDocumentNotification,
        ),
        (edited(), types.DidChangeTextDocumentNotification),
        (asked(), types.InlineCompletionRequest),
        (asked("a", triggerKind=1), types.InlineCompletionRequest),
        (
            asked(selectedCompletionInfo={"range": SPAN, "text": "append"}),
            types.InlineCompletionRequest,
        ),
    ],
)
def test_a_message_is_what_the_converter_makes_of_it(data, kind):
    expected = default_converter().structure(data, kind)
    assert message_of(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        {"jsonrpc": "2.0", "method": "textDocument/didSave", "params": {}},
        {"jsonrpc": "2.0", "id": 1, "result": None},
        {"jsonrpc": "2.0", "method": ["textDocument/didChange"]},
        {"jsonrpc": "2.0", "method": "textDocument/didChange"},
        edited({"range": SPAN}),
        edited({"range": {"start": HERE}, "text": "x"}),
        asked(triggerKind=7),
        asked(identifier=None),
        asked() | {"params": {"position": {"line": -1, "character": 0}}},
    ],
)
def test_other_and_wrong_messages_are_left_to_the_converter(data):
    assert message_of(data) is None


@pytest.mark.parametrize(
    "items",
    [
        [],
        [
            types.InlineCompletionItem(
                "é\n    x",
                range=types.Range(types.Position(3, 5), types.Position(3, 7)),
                command=types.Command("Accepted", "tenon.completionAccepted", arguments=["id"]),
            )
        ],
    ],
)
def test_an_answer_is_what_the_converter_makes_of_it(items):
    answer = types.InlineCompletionList(items)
    expected = default_converter().unstructure(types.InlineCompletionResponse(5, answer))
    assert json.loads(answer_to(5, answer)) == expected
