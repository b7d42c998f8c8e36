"""Code asked line by line as it would be typed."""

from itertools import pairwise
from random import Random

from lsp_server.store.files import RepositoryFile
from tests.git_repositories import code
from training.evaluation.stretches import ENOUGH, FARTHEST, MOST, in_turns, stretches


def file_of(text: str, path: str = "app.py") -> RepositoryFile:
    return RepositoryFile(path, "python", text, "", 0.0)


def whole(file: RepositoryFile) -> list[tuple[int, int]]:
    return [(0, len(file.text))]


def lines(count: int) -> str:
    return "".join(f"value_{number} = {number}\n" for number in range(count))


def test_each_question_shows_what_stands_before_it_and_none_what_is_asked_later():
    file = file_of("HEAD = 1\n" + lines(8) + "TAIL = 2\n")
    start, end = file.text.index("value_0"), file.text.index("\nTAIL")
    (stretch,) = stretches(file, [(start, end)], Random(1), repository="r")
    assert len(stretch) == 8
    for example in stretch:
        assert example.suffix == "\nTAIL = 2\n"
        assert file.text.startswith(example.prefix + example.middle)
        assert "\n" not in example.middle
        kind, where = example.id.split("/")
        at = len(example.prefix)
        assert where == f"app.py:{at}-{at + len(example.middle)}"
        assert (kind == "line") == example.prefix.endswith("\n")
        assert (example.path, example.repository, example.language) == ("app.py", "r", "python")
    for one, other in pairwise(stretch):
        assert other.prefix.startswith(one.prefix + one.middle + "\n")
    assert [example.followed_by for example in stretch] == ["\n"] * 7 + [""]
    assert len({example.id.split("/")[0] for example in stretch}) == 2


def test_what_is_not_worth_asking_ends_a_stretch_that_is_long_enough():
    file = file_of("\n".join([lines(3), lines(ENOUGH - 3), lines(5), lines(2 * MOST)]))
    found = stretches(file, whole(file), Random(1))
    assert [len(stretch) for stretch in sorted(found, key=lambda it: len(it[0].prefix))] \
        == [ENOUGH, MOST, MOST, 5]  # fmt: skip


def test_short_ones_come_last_and_the_others_are_drawn():
    file = file_of("\n".join(lines(ENOUGH) for _ in range(9)) + "\n" + lines(1))
    found = stretches(file, whole(file), Random(1))
    assert len(found[-1]) == 1
    starts = [len(stretch[0].prefix) for stretch in found[:-1]]
    assert starts != sorted(starts)
    assert found == stretches(file, whole(file), Random(1))
    assert found != stretches(file, whole(file), Random(2))


def test_small_changes_near_each_other_are_one_stretch():
    near, far = "keep_it = 0\n" * FARTHEST, "keep_it = 0\n" * (FARTHEST + 1)
    file = file_of("new_1 = 1\n" + near + "    new_2 = 2\n\n    new_3 = 3\n" + far + "new_4 = 4\n")
    spans = [
        (at, file.text.index("\n", at))
        for at in (file.text.index(f"new_{n}") for n in (4, 3, 2, 1))
    ]
    long, short = stretches(file, [*spans, spans[0]], Random(1))
    assert [example.middle[-1] for example in long] == ["1", "2", "3"]
    assert [example.followed_by for example in long] == ["\n", "\n\n    ", ""]
    assert long[1].prefix.count("keep_it") == FARTHEST
    assert long[0].suffix == "\n" + far + "new_4 = 4\n"
    assert [example.middle[-1] for example in short] == ["4"]


def test_code_that_is_not_new_is_not_asked():
    file = file_of(lines(9))
    text = file.text
    spans = [(0, text.index("value_3")), (text.index("value_6"), len(text))]
    asked = {
        example.middle.rpartition(" ")[2]
        for stretch in stretches(file, spans, Random(1))
        for example in stretch
    }
    assert asked == {"0", "1", "2", "6", "7", "8"}


def test_imports_and_what_is_not_allowed_are_left_out():
    file = file_of("from package import thing\n" * 6 + lines(6))
    secret = "value_4"
    found = stretches(
        file, whole(file), Random(1), is_allowed=lambda span: secret not in file.text[slice(*span)]
    )
    (stretch,) = found
    assert len(stretch) == 5
    assert not any("import" in example.middle for example in stretch)
    # It is what was typed before all the same.
    assert secret in stretch[-1].prefix


def test_nothing_to_ask():
    file = file_of("\n\n)\n]\n")
    assert stretches(file, whole(file), Random(1)) == []


def test_files_take_turns():
    files = [file_of(code(f"a{number}", 40), f"{number}.py") for number in range(5)]
    by_file = [stretches(file, whole(file), Random(1)) for file in files]
    by_file[0] = by_file[0][:1]
    by_file += [[], stretches(tiny := file_of("tiny_one = 1\n", "tiny.py"), whole(tiny), Random(1))]
    taken = in_turns(by_file, 9, Random(1))
    assert len(taken) == 9
    assert {stretch[0].path for stretch in taken[:5]} == {f"{number}.py" for number in range(5)}
    assert taken[5][0].path == "tiny.py"
    assert sum(stretch[0].path == "0.py" for stretch in taken) == 1
    assert len(in_turns(by_file, 1000, Random(1))) == sum(map(len, by_file))
