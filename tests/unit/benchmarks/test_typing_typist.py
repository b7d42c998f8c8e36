"""Who types must end with exactly what was to be typed, by whichever keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.typing.traces import Repository, Slip, Span, Stroke, Task, trace
from tests.benchmarks.typing.typist import Edit, Typist

SOURCE = '''"""A module."""

import os


def parse(text, *, strict=False):
    """Read a text."""
    values = {"a": [1, 2], "b": (3, 4)}
    for line in text.split("\\n"):

        if not line.strip():
            continue
        values[line] = os.path.join(
            line,
            f"{line!r}",
        )
    return values


def save(values, path):
    """Write values."""
    with open(path, "w") as file:
        file.write(repr(values))


LIMIT = 100
'''
OTHER = "import sys\n\n\ndef main():\n    print('hello', file=sys.stderr)\n"


def task(text: str, strokes: tuple[Stroke, ...] = ()) -> Task:
    return Task("a.py", 0, text, 0.0, strokes or tuple(Stroke(10.0) for _ in text))


def type_all(typist: Typist, before: str = "") -> tuple[str, list[str]]:
    """The document at the end, and the kinds of keys."""
    document, kinds = before + typist.right, []
    while key := typist.next_key():
        edit = typist.press(key)
        document = changed(document, edit)
        kinds.append(key.kind)
        assert document == before + typist.left + typist.closers + typist.right
        assert edit.cursor == len(before) + len(typist.left)
    return document, kinds


def changed(document: str, edit: Edit) -> str:
    return document[: edit.start] + edit.inserted + document[edit.start + edit.removed :]


def test_an_editor_closes_a_bracket_and_the_closing_one_is_typed_over():
    typist = Typist(task("f(x)"), 0, "\n")
    typist.press(typist.next_key())
    edit = typist.press(typist.next_key())
    assert (edit.inserted, typist.closers) == ("()", ")")
    typist.press(typist.next_key())
    edit = typist.press(typist.next_key())
    assert (edit.inserted, edit.removed, typist.closers) == ("", 0, "")
    assert typist.left == "f(x)"


@pytest.mark.parametrize("right", ["name", "(", "1"])
def test_nothing_is_closed_in_front_of_a_word(right):
    typist = Typist(task("f("), 0, right)
    assert type_all(typist)[0] == "f(" + right


def test_the_apostrophe_of_a_word_is_no_quote():
    typist = Typist(task("# don't"), 0, "\n")
    type_all(typist)
    assert typist.closers == ""


def test_enter_indents_behind_a_colon_as_far_as_the_text_wants_it():
    typist = Typist(task("if x:\n    y"), 0, "")
    document, kinds = type_all(typist)
    assert document == "if x:\n    y"
    assert kinds.count("type") == 6
    assert "indent" not in kinds


def test_too_much_indentation_is_taken_back_level_by_level():
    typist = Typist(task("        return 1\ny = 2"), 0, "")
    document, kinds = type_all(typist)
    assert document == "        return 1\ny = 2"
    assert kinds.count("backspace") == 2


def test_the_indentation_of_an_empty_line_goes_with_the_next_enter():
    typist = Typist(task("    a\n\n    b"), 0, "")
    document, kinds = type_all(typist)
    assert document == "    a\n\n    b"
    assert "backspace" not in kinds


def test_enter_between_brackets_puts_the_closing_one_below():
    typist = Typist(task("f(\n    x,\n)"), 0, "\n")
    document, kinds = type_all(typist)
    assert document == "f(\n    x,\n)\n"
    assert "move" in kinds


def test_a_slip_is_typed_and_taken_back():
    strokes = (Stroke(10.0), Stroke(10.0, slip=Slip("xy", (1.0, 2.0, 3.0, 4.0))), Stroke(10.0))
    typist = Typist(task("abc", strokes), 0, "")
    document, kinds = type_all(typist)
    assert document == "abc"
    assert kinds == ["type", "wrong", "wrong", "backspace", "backspace", "type", "type"]


def test_an_undone_word_is_typed_again():
    strokes = (*(Stroke(10.0) for _ in "name"), Stroke(10.0, undo=4, again=(1.0,) * 4), Stroke(9.0))
    typist = Typist(task("name =", strokes), 0, "")
    document, kinds = type_all(typist)
    assert document == "name ="
    assert kinds.count("undo") == 1
    assert kinds.count("type") == 10


def test_what_is_accepted_need_not_be_typed():
    typist = Typist(task("f(a, b)\n"), 2, ")\n")
    typist.press(typist.next_key())
    typist.press(typist.next_key())
    assert typist.closers == ")"
    edit = typist.accept("a, b)", 1)
    assert (edit.inserted, edit.removed) == ("a, b", 0)
    assert typist.future == "\n"


def test_only_what_would_be_typed_can_be_accepted():
    typist = Typist(task("abc"), 0, "")
    with pytest.raises(ValueError, match="accepted"):
        typist.accept("abd", 0)


@given(seed=st.integers(0, 10_000))
def test_a_trace_ends_with_the_files_as_they_were(seed):
    start, end = SOURCE.index("\n    values = {"), SOURCE.index("\n\n\ndef save")
    line = SOURCE.index("\nLIMIT")
    other = OTHER.index("\n    print")
    spans = (
        Span("body", "a.py", start, end),
        Span("line", "a.py", line, len(SOURCE) - 1),
        Span("line", "b.py", other, len(OTHER) - 1),
    )
    repository = Repository("small", {"a.py": SOURCE, "b.py": OTHER}, spans)
    made = trace(repository, seed, 0)
    assert made == trace(repository, seed, 0)
    documents, done = dict(made.documents), []
    for piece in made.tasks:
        at = piece.offset + sum(
            len(other.text)
            for other in done
            if other.path == piece.path and other.offset <= piece.offset
        )
        text = documents[piece.path]
        line_before = text[:at].rpartition("\n")[2]
        typist = Typist(piece, at, text[at:], line_before=line_before)
        documents[piece.path], _ = type_all(typist, text[:at])
        done.append(piece)
    assert documents == {path: repository.files[path] for path in documents}
    assert len(documents) == 2
