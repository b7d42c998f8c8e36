import pytest
from lsprotocol import types

from lsp_server.session.keys import Edit, LastEdits

UTF16 = types.PositionEncodingKind.Utf16


def position(line, character):
    return types.Position(line, character)


def change(text, start, end=None):
    span = types.Range(position(*start), position(*(end or start)))
    return types.TextDocumentContentChangePartial(span, text)


@pytest.mark.parametrize(
    ("told", "text", "cursor", "deletes"),
    [
        (change("a", (1, 2)), "a", (1, 3), False),
        (change("😀", (1, 2)), "😀", (1, 4), False),
        (change("\r\n    ", (1, 2)), "\n    ", (2, 4), False),
        (change("()", (1, 2)), "(", (1, 3), False),
        (change("", (1, 2), (1, 3)), "", (1, 2), True),
        (change("b", (1, 2), (1, 5)), "b", (1, 3), False),
    ],
)
def test_where_an_edit_leaves_the_cursor_and_whether_it_only_deletes(told, text, cursor, deletes):
    edit = Edit.of([told], UTF16)
    assert (edit.text, edit.cursor, edit.deletes) == (text, position(*cursor), deletes)


def test_several_edits_at_once_and_a_whole_document_tell_nothing():
    assert Edit.of([change("a", (1, 2)), change("a", (3, 2))], UTF16) is None
    assert Edit.of([types.TextDocumentContentChangeWholeDocument("x")], UTF16) is None


def test_an_edit_holds_for_the_cursor_that_it_left():
    edits, edit = LastEdits(), Edit.of([change("", (1, 2), (1, 3))], UTF16)
    edits.note("a", edit)
    assert edits.at("a", position(1, 2)) is edit
    assert edits.at("a", position(1, 3)) is None
    assert edits.at("b", position(1, 2)) is None
    edits.note("a", None)
    assert edits.at("a", position(1, 2)) is None
