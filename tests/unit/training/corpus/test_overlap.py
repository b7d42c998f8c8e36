"""Whether a file repeats an evaluation set."""

import gzip
import json
import lzma

import pytest

from training.corpus.evaluation import Evaluation, read_evaluation
from training.corpus.overlap import COMMON, Detector, idioms, main, repeats_repository
from training.corpus.shards import Record, write_shard

PROBLEM = '''def rotate_cells(grid, amount):
    """Turn the outer ring of a grid by the given amount of places."""
    ring = outer_ring(grid)
    moved = ring[amount:] + ring[:amount]
    return place_ring(grid, moved)
'''
REWRITTEN = '''def rotate_cells(cells, amount):
    """Turn a grid's outer ring by some amount of places."""
    ring = outer_ring(cells)
    moved = ring[amount:]
    moved += ring[:amount]
    return place_ring(cells, moved)
'''
REPOSITORY = """def open_archive(folder, name):
    location = folder / name
    handle = location.open("rb")
    return Archive(handle, compression=detect(location))
"""
INNOCENT = """def mean(values):
    total = sum(values)
    return total / len(values)
"""


@pytest.fixture
def detector():
    return Detector(Evaluation((("rotate_cells", PROBLEM),), (REPOSITORY,)))


def test_an_innocent_file_is_clear(detector):
    overlap = detector.look(INNOCENT)
    assert overlap.reason is None
    assert not repeats_repository(overlap, idioms([]))


def test_a_copied_line_or_two_are_enough(detector):
    lines = PROBLEM.splitlines()[2:4]
    text = INNOCENT + "def other(grid, amount):\n" + "\n".join(lines) + "\n"
    assert detector.look(text).reason == "repeats a problem"


def test_a_rewritten_solution_is_known_by_its_name(detector):
    assert detector.look(REWRITTEN).reason == "solves a problem by name"
    assert detector.look(REWRITTEN.replace("rotate_cells", "turn_cells")).reason is None


def test_runs_without_names_say_nothing():
    detector = Detector(Evaluation((("", "values = [" + "1, 2, 3, " * 20 + "]"),), ()))
    assert detector.look("other = [" + "1, 2, 3, " * 20 + "]").reason is None


def test_what_many_sources_share_is_an_idiom(detector):
    overlap = detector.look(REPOSITORY)
    assert overlap.reason is None
    few = idioms((f"source{number}", overlap.runs) for number in range(COMMON - 1))
    many = idioms((f"source{number}", overlap.runs) for number in range(COMMON))
    assert repeats_repository(overlap, few)
    assert not repeats_repository(overlap, many)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "sets"
    folder.mkdir()
    rows = [
        {"entry_point": "rotate_cells", "prompt": "", "canonical_solution": PROBLEM},
        {"language": "java", "prompt": "int x;", "canonical_solution": ""},
        {"prompt": "a = ", "groundtruth": "b", "right_context": "\n"},
    ]
    with gzip.open(folder / "rows.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with lzma.open(folder / "repository.json.xz", "wt") as file:
        json.dump({"train": {"a.py": REPOSITORY}, "head_files": {"a.py": REPOSITORY}}, file)
    return folder


def test_evaluation_sets_are_read(folder):
    assert read_evaluation(folder) == Evaluation(
        (("rotate_cells", PROBLEM),), ("a = b\n", REPOSITORY)
    )


def test_the_script_counts(folder, tmp_path, capsys):
    shard = tmp_path / "one.jsonl.xz"
    write_shard(
        shard,
        [
            Record("pypi:a==1", "a.py", INNOCENT),
            Record("pypi:a==1", "b.py", PROBLEM),
            Record("pypi:b==1", "c.py", REPOSITORY),
        ],
    )
    assert main([str(shard), "--against", str(folder)]) == 0
    counts = dict(line.split(maxsplit=1)[::-1] for line in capsys.readouterr().out.splitlines())
    assert counts == {
        "files": "3",
        "repeats a problem": "1",
        "clear of problems": "2",
        "share a run with a repository": "1",
        "... that is not an idiom": "1",
    }
