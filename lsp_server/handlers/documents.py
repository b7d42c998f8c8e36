"""What happens in documents: keystrokes, which are answered, and saves."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types

from .. import protocol
from ..documents import TOP, LspWorkspace, path_of
from ..edits import Request
from ..protocol import Cursor
from ..session.keys import Edit
from .answers import convert

if TYPE_CHECKING:
    from ..server import TenonServer


async def inline_completion(
    ls: "TenonServer", params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    """Answer a keystroke; an empty list with its reason in the status otherwise."""
    workspace = cast("LspWorkspace", ls.workspace)  # TenonProtocol sees to that
    request = replace(
        _request(workspace, params.text_document.uri, params.position),
        automatic=params.context.trigger_kind is types.InlineCompletionTriggerKind.Automatic,
        selected=params.context.selected_completion_info,
    )
    if not request.automatic:  # any other follows a change, which has told so already
        ls.session.typed()
    suggestion, _ = await ls.session.complete(request)
    if suggestion is None:
        return types.InlineCompletionList([])
    command = types.Command("Accepted", protocol.COMPLETION_ACCEPTED, arguments=[suggestion.id])
    item = types.InlineCompletionItem(suggestion.text, range=suggestion.range, command=command)
    return types.InlineCompletionList([item])


async def did_change(ls: "TenonServer", params: types.DidChangeTextDocumentParams) -> None:
    """A key was pressed; pygls has changed the document already."""
    workspace = cast("LspWorkspace", ls.workspace)
    uri = params.text_document.uri
    document = workspace.opened(uri)
    encoding = workspace.position_encoding or types.PositionEncodingKind.Utf16
    ls.session.typed()
    if document is not None:
        edit = Edit.of(params.content_changes, encoding)
        ls.session.edited(uri, document.source, edit, encoding, document.near)


async def cursor(ls: "TenonServer", params: Any) -> None:
    """``tenon/cursor``: somebody may type here soon."""
    place = convert(params, Cursor, "the cursor")
    workspace = cast("LspWorkspace", ls.workspace)
    position = types.Position(max(place.line, 0), max(place.character, 0))
    ls.session.rests(_request(workspace, place.uri, position))


def _request(workspace: LspWorkspace, uri: str, position: types.Position) -> Request:
    document = workspace.opened(uri)
    return Request(
        uri=uri,
        text=document.source if document else None,
        position=position,
        encoding=workspace.position_encoding or types.PositionEncodingKind.Utf16,
        language=(document.language_id or "") if document else "",
        path=path_of(uri),
        roots=workspace.roots(),
        near=document.near if document else TOP,
    )


async def did_save(ls: "TenonServer", params: types.DidSaveTextDocumentParams) -> None:
    """What lies on disk has changed: the repository's index follows."""
    workspace = cast("LspWorkspace", ls.workspace)
    ls.session.saved(path_of(params.text_document.uri), workspace.roots())
