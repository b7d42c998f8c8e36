"""The messages of a keystroke between JSON and lsprotocol's types, by hand.

Every other message goes through pygls' converter, which takes several times as long for each: it
asks of every value which class it may be.
"""

from typing import Annotated, Any

import msgspec
from lsprotocol import types

_Whole = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


class _Position(msgspec.Struct):
    line: _Whole
    character: _Whole

    def typed(self) -> types.Position:
        return types.Position(self.line, self.character)


class _Range(msgspec.Struct):
    start: _Position
    end: _Position

    def typed(self) -> types.Range:
        return types.Range(self.start.typed(), self.end.typed())


class _Change(msgspec.Struct):
    text: str
    range: _Range | None = None

    def typed(self) -> types.TextDocumentContentChangeEvent:
        if self.range is None:
            return types.TextDocumentContentChangeWholeDocument(self.text)
        return types.TextDocumentContentChangePartial(self.range.typed(), self.text)


class _Versioned(msgspec.Struct):
    uri: str
    version: _Whole


class _DidChange(msgspec.Struct, rename="camel"):
    text_document: _Versioned
    content_changes: list[_Change]


class _Edited(msgspec.Struct):
    jsonrpc: str
    params: _DidChange

    def typed(self) -> types.DidChangeTextDocumentNotification:
        document = self.params.text_document
        return types.DidChangeTextDocumentNotification(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(document.version, document.uri),
                [change.typed() for change in self.params.content_changes],
            ),
            jsonrpc=self.jsonrpc,
        )


class _Selected(msgspec.Struct):
    range: _Range
    text: str


class _Context(msgspec.Struct, rename="camel"):
    trigger_kind: types.InlineCompletionTriggerKind
    selected_completion_info: _Selected | None = None


class _Document(msgspec.Struct):
    uri: str


class _InlineCompletion(msgspec.Struct, rename="camel"):
    text_document: _Document
    position: _Position
    context: _Context


class _Asked(msgspec.Struct):
    jsonrpc: str
    id: int | str
    params: _InlineCompletion

    def typed(self) -> types.InlineCompletionRequest:
        params, selected = self.params, self.params.context.selected_completion_info
        return types.InlineCompletionRequest(
            self.id,
            types.InlineCompletionParams(
                types.InlineCompletionContext(
                    params.context.trigger_kind,
                    selected and types.SelectedCompletionInfo(selected.range.typed(), selected.text),
                ),
                types.TextDocumentIdentifier(params.text_document.uri),
                params.position.typed(),
            ),
            jsonrpc=self.jsonrpc,
        )


def message_of(
    data: dict[str, Any],
) -> types.DidChangeTextDocumentNotification | types.InlineCompletionRequest | None:
    """An edit or a question as lsprotocol has it; None for any other message, and for one that is
    wrong in any way, of which the converter can say more.
    """
    method = data.get("method")
    try:
        if method == types.TEXT_DOCUMENT_DID_CHANGE:
            return msgspec.convert(data, _Edited).typed()
        if method == types.TEXT_DOCUMENT_INLINE_COMPLETION:
            return msgspec.convert(data, _Asked).typed()
    except msgspec.ValidationError:
        pass
    return None


def answer_to(identifier: int | str, answer: types.InlineCompletionList) -> bytes:
    """The body of a response."""
    items = [_item(item) for item in answer.items]
    return msgspec.json.encode({"jsonrpc": "2.0", "id": identifier, "result": {"items": items}})


def _item(item: types.InlineCompletionItem) -> dict[str, Any]:
    """An item as the handler makes it: with text, range and command."""
    wire: dict[str, Any] = {"insertText": item.insert_text}
    if item.range is not None:
        wire["range"] = {"start": _wire(item.range.start), "end": _wire(item.range.end)}
    if (command := item.command) is not None:
        wire["command"] = {
            "title": command.title,
            "command": command.command,
            "arguments": command.arguments,
        }
    return wire


def _wire(position: types.Position) -> dict[str, int]:
    return {"line": position.line, "character": position.character}
