import json
from pathlib import Path

import pytest

from lsp_server.errors import SettingsError
from training.evaluation.details import DetailsFile
from training.evaluation.metrics import Answer, Result

RUN = {"model": "m", "temperature": 0.0}
FIRST = Result("a", "x\n", (Answer("x", stopped=True, passed=None),), -1.5, 2, 10.0)
SECOND = Result("b", "é\n", (Answer("y", stopped=False, passed=True),))


def write(path: Path, *results: Result) -> None:
    with DetailsFile(path, RUN) as details:
        for result in results:
            details.add(result)


def test_a_later_run_goes_on_where_the_former_stopped(tmp_path: Path):
    path = tmp_path / "details.jsonl"
    write(path, FIRST)
    write(path, SECOND)
    with DetailsFile(path, RUN) as details:
        assert details.results == [FIRST, SECOND]
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert rows[0] == {"run": RUN}
    assert rows[1]["exact_match"] == [True]
    assert rows[2]["edit_similarity"] == [0.0]


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path):
    path = tmp_path / "details.jsonl"
    write(path, FIRST, SECOND)
    path.write_bytes(path.read_bytes()[:-5])
    write(path, SECOND)
    with DetailsFile(path, RUN) as details:
        assert details.results == [FIRST, SECOND]


def test_a_first_line_that_was_cut_off_is_no_other_run(tmp_path: Path):
    path = tmp_path / "details.jsonl"
    path.write_bytes(b'{"run": {"mo')
    write(path, FIRST)
    with DetailsFile(path, RUN) as details:
        assert details.results == [FIRST]


def test_another_run_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "details.jsonl"
    write(path, FIRST)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=r"another run \(model 'm'\)"):
        DetailsFile(path, RUN | {"model": "n"})
    with pytest.raises(SettingsError, match=r"another run \(layout None\)"):
        DetailsFile(path, RUN | {"layout": "psm"})
    assert path.read_bytes() == before


def test_an_empty_file_is_taken(tmp_path: Path):
    path = tmp_path / "details.jsonl"
    path.touch()
    write(path, FIRST)
    with DetailsFile(path, RUN) as details:
        assert details.results == [FIRST]


@pytest.mark.parametrize(
    "content",
    [
        b"something\n",
        b'{"run": {}}\n{"id": 1}\n',
        b"[]\n",
        b'{"keep":"my only copy"}',
        b"no line at all",
        b"{ ",
    ],
)
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, content: bytes):
    path = tmp_path / "details.jsonl"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="no details of an evaluation"):
        DetailsFile(path, RUN)
    assert path.read_bytes() == content
