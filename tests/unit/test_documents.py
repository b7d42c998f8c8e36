from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from lsp_server.documents import (
    LineStart,
    LspDocument,
    LspWorkspace,
    clamped_offset,
    line_start,
    locate,
    normalised,
    offset_of,
    path_of,
    split_at,
    units,
)

ENCODINGS = ["utf-8", "utf-16", "utf-32"]
CODECS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}
UNIT_BYTES = {"utf-8": 1, "utf-16": 2, "utf-32": 4}
documents = st.text(st.sampled_from("ab é😀\t\f\u2028\r\n"), max_size=40)


def reference_lines(text):
    """Lines without their ends, character by character."""
    lines, index, line = [], 0, ""
    while index < len(text):
        if text[index] in "\r\n":
            lines.append(line)
            line = ""
            index += 2 if text[index : index + 2] == "\r\n" else 1
        else:
            line += text[index]
            index += 1
    return [*lines, line]


@given(text=documents, encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_a_position_and_its_index_agree(text, encoding, data):
    lines = reference_lines(text)
    number = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[number])))
    before = lines[number][:column]
    width = len(before.encode(CODECS[encoding])) // UNIT_BYTES[encoding]
    assert units(before, encoding) == width
    offset = offset_of(text, types.Position(number, width), encoding)
    cut = split_at(text, offset)
    assert cut.before == "\n".join([*lines[:number], before])
    assert cut.after == "\n".join([lines[number][column:], *lines[number + 1 :]])


@given(text=documents, new=documents, encoding=st.sampled_from(ENCODINGS), data=st.data())
def test_an_edit_replaces_exactly_its_range(text, new, encoding, data):
    lines = reference_lines(text)
    numbers = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2))
    spots = [(number, data.draw(st.integers(0, len(lines[number])))) for number in numbers]
    start, end = (
        types.Position(number, units(lines[number][:column], encoding))
        for number, column in sorted(spots)
    )
    expected = (
        text[: clamped_offset(text, start, encoding)]
        + new
        + text[clamped_offset(text, end, encoding) :]
    )
    workspace = LspWorkspace(None, position_encoding=encoding)
    workspace.put_text_document(types.TextDocumentItem("file:///a", "python", 1, text))
    change = types.TextDocumentContentChangePartial(types.Range(start, end), new)
    workspace.update_text_document(types.VersionedTextDocumentIdentifier(2, "file:///a"), change)
    assert workspace.opened("file:///a").source == expected


@given(text=documents, new=st.lists(documents, max_size=4), data=st.data())
def test_edits_one_after_the_other_leave_what_the_editor_has(text, new, data):
    workspace = LspWorkspace(None, position_encoding="utf-32")
    workspace.put_text_document(types.TextDocumentItem("file:///a", "python", 1, text))
    document = workspace.opened("file:///a")
    for version, inserted in enumerate(new, 2):
        lines = reference_lines(text)
        numbers = data.draw(st.lists(st.integers(0, len(lines) - 1), min_size=2, max_size=2))
        spots = [(number, data.draw(st.integers(0, len(lines[number])))) for number in numbers]
        start, end = (types.Position(*spot) for spot in sorted(spots))
        first, last = (clamped_offset(text, position, "utf-32") for position in (start, end))
        text = text[:first] + inserted + text[last:]
        workspace.update_text_document(
            types.VersionedTextDocumentIdentifier(version, "file:///a"),
            types.TextDocumentContentChangePartial(types.Range(start, end), inserted),
        )
        assert document.source == text
        for number in range(len(reference_lines(text)) + 1):
            position = types.Position(number, 1)
            expected = offset_of(text, position, "utf-32")
            assert offset_of(text, position, "utf-32", document.near) == expected


def test_a_far_line_is_found_whatever_ends_the_lines():
    for end in ("\n", "\r\n", "\r"):
        text = f"ab{end}" * 300
        for number in (63, 64, 65, 299, 300, 301):
            expected = number * len(f"ab{end}") if number <= 300 else None
            found = line_start(text, number, LineStart(3, 3 * len(f"ab{end}")))
            assert (found and found.index) == expected


def test_lines_keep_their_ends_and_only_lsp_ends_count():
    document = LspDocument("file:///a", "a\r\nb\rc\fd\u2028e\n")
    assert document.lines == ["a\r\n", "b\r", "c\fd\u2028e\n", ""]


def test_columns_past_the_end_mean_the_end_and_lines_past_the_end_nothing():
    assert offset_of("ab\r\ncd", types.Position(0, 99), "utf-16") == 2
    assert offset_of("ab\r\ncd", types.Position(2, 0), "utf-16") is None
    assert offset_of("ab\rcd\r", types.Position(3, 0), "utf-16") is None
    assert clamped_offset("ab", types.Position(5, 0), "utf-16") == 2


def test_a_column_inside_a_character_means_its_end():
    assert offset_of("😀x", types.Position(0, 1), "utf-16") == 1


def test_lone_surrogates_become_replacement_characters():
    assert normalised("a\ud83d\r\n😀") == "a\ufffd\n😀"


def test_the_documents_own_line_end_is_kept():
    assert [split_at(text, 0).newline for text in ("a\r\nb", "a\nb", "a")] == ["\r\n", "\n", "\n"]


def test_an_edit_to_an_unknown_document_changes_nothing():
    workspace = LspWorkspace(None)
    change = types.TextDocumentContentChangeWholeDocument("x")
    workspace.update_text_document(types.VersionedTextDocumentIdentifier(2, "file:///a"), change)
    assert workspace.opened("file:///a") is None


def test_a_path_is_named_below_the_innermost_folder():
    roots = ("/home", "/home/app", "/other")
    assert locate("/home/app/src/a.py", roots) == ("src/a.py", "app")
    assert locate("/elsewhere/a.py", roots) == ("a.py", "")
    assert locate(None, roots) == ("", "")
    assert locate("/homestead/a.py", roots) == ("a.py", "")


def test_a_malformed_uri_lies_nowhere():
    assert path_of("file://[") is None
    assert path_of("untitled:Untitled-1") is None


def test_open_documents_are_those_of_the_innermost_folder():
    folders = [types.WorkspaceFolder(f"file://{path}", "x") for path in ("/home", "/home/app")]
    workspace = LspWorkspace(None, workspace_folders=folders)
    uris = ("file:///home/a.py", "file:///home/app/src/b%20c.py", "file:///x.py", "untitled:One",
            "git:/home/d.py")  # fmt: skip
    for uri in uris:
        workspace.put_text_document(types.TextDocumentItem(uri, "python", 1, f"text of {uri}"))
    assert workspace.texts("/home") == {"a.py": "text of file:///home/a.py"}
    assert set(workspace.texts("/home/app")) == {"src/b c.py"}
    change = types.TextDocumentContentChangeWholeDocument("typed")
    identifier = types.VersionedTextDocumentIdentifier(2, "file:///home/a.py")
    workspace.update_text_document(identifier, change)
    assert workspace.texts("/home") == {"a.py": "typed"}
    workspace.remove_text_document("file:///home/a.py")
    assert workspace.texts("/home") == {}
