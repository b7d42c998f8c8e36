"""Each published format, in made-up rows; and the real files where they are at hand."""

import gzip
import hashlib
import json
import lzma
from pathlib import Path

import pytest

from training.evaluation.benchmarks import Benchmark, BenchmarkError, read
from training.evaluation.formats import Choice

BENCH = Path(__file__).parents[5] / "shared" / "bench"
"""Evaluation data that may not be in this repository."""
INFILLING = {
    "task_id": "SingleLineInfilling/HumanEval/0/L0",
    "entry_point": "double",
    "prompt": "def double(x):\n",
    "suffix": "    return y\n",
    "canonical_solution": "    y = 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}
SANTACODER = {
    "name": "double-L1",
    "language": "py",
    "prompt": "def double(x):",
    "suffix": "    return y\n",
    "canonical_solution": "    y = 2 * x",
    "tests": "assert double(2) == 4\n",
}
CROSSCODE = {
    "prompt": "from a import b\n\nb.",
    "groundtruth": "run()",
    "right_context": "\nexit()\n",
    "metadata": {"task_id": "project/1", "repository": "owner-name-abc", "file": "main.py"},
    "crossfile_context": {
        "text": "# a.py\n# def run(): ...\n",
        "list": [{"retrieved_chunk": "def run(): ...", "filename": "a.py", "score": 1.0}],
    },
}
TIMESPLIT = {
    "repo": "owner/name",
    "train": {},
    "head_files": {"src/a.py": "x = 1\ny = 2\n"},
    "eval": [
        {"kind": "midline", "path": "src/a.py", "start": 2, "end": 5},
        {"kind": "line", "path": "src/a.py", "start": 6, "end": 11},
    ],
}


def write(path: Path, *rows: dict) -> Path:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(text)
    path.write_bytes(packed)
    return path


def whole(benchmark: Benchmark) -> list[str]:
    return [entry.prefix + entry.middle + entry.suffix for entry in benchmark.examples]


def test_infilling_with_its_tests(tmp_path: Path):
    found = read(write(tmp_path / "x.jsonl.gz", INFILLING), Choice())
    (example,) = found.examples
    assert found.format == "humaneval-infilling"
    assert whole(found) == ["def double(x):\n    y = 2 * x\n    return y\n"]
    assert example.program(example.middle).endswith("assert candidate(2) == 4\n\ncheck(double)\n")
    assert not example.function


def test_a_function_to_complete_has_no_suffix(tmp_path: Path):
    row = {name: value for name, value in INFILLING.items() if name != "suffix"}
    found = read(write(tmp_path / "x.jsonl", row), Choice())
    assert found.format == "humaneval"
    (example,) = found.examples
    assert example.function
    assert (example.prefix, example.suffix) == ("def double(x):", "")
    assert example.middle == "\n    y = 2 * x\n"


def test_a_solution_is_as_deep_as_the_functions_docstring(tmp_path: Path):
    row = {name: value for name, value in INFILLING.items() if name != "suffix"}
    row |= {
        "prompt": "def double(x):\n    '''\n    Twice.\n    '''\n",
        "canonical_solution": " if x:\n  return 2 * x\n\n return 0\n",
    }
    (example,) = read(write(tmp_path / "x.jsonl", row), Choice()).examples
    assert example.middle == "\n    if x:\n     return 2 * x\n\n    return 0\n"


def test_a_line_that_was_cut_out_with_its_line_breaks(tmp_path: Path):
    java = SANTACODER | {"language": "java", "name": "J"}
    path = write(tmp_path / "x.jsonl", java, SANTACODER, SANTACODER | {"name": "other"})
    found = read(path, Choice("python"))
    assert [entry.id for entry in found.examples] == ["double-L1", "other"]
    assert whole(found)[0] == "def double(x):\n    y = 2 * x\n    return y\n"
    example = found.examples[0]
    for answer in ("    y = 2 * x", "\n    y = 2 * x", "    y = 2 * x\n", example.middle):
        assert example.completed(answer) == whole(found)[0]
    (other,) = read(path, Choice("java")).examples
    assert (other.language, other.tests) == ("java", "")
    with pytest.raises(BenchmarkError, match="nothing in javascript"):
        read(path, Choice("javascript"))


def test_cross_file_context_comes_along(tmp_path: Path):
    found = read(write(tmp_path / "x.jsonl", CROSSCODE), Choice())
    (example,) = found.examples
    assert whole(found) == ["from a import b\n\nb.run()\nexit()\n"]
    assert (example.path, example.repository) == ("main.py", "owner-name-abc")
    assert [(entry.path, entry.text) for entry in example.context] == [("a.py", "def run(): ...")]


def test_spans_of_a_time_split(tmp_path: Path):
    path = write(tmp_path / "x.json.xz", TIMESPLIT)
    found = read(path, Choice())
    assert found.format == "timesplit"
    assert found.repositories == {"name": TIMESPLIT["head_files"]}
    assert [entry.middle for entry in found.examples] == ["= 1", "y = 2"]
    assert set(whole(found)) == {"x = 1\ny = 2\n"}
    assert {entry.path for entry in found.examples} == {"src/a.py"}
    assert [entry.middle for entry in read(path, Choice(kind="line")).examples] == ["y = 2"]
    with pytest.raises(BenchmarkError, match="of the kind body"):
        read(path, Choice(kind="body"))


def test_tenons_own_rows(tmp_path: Path):
    rows = [{"prefix": "a", "suffix": "c", "middle": "b", "path": "x.py"}, {"id": "two"}]
    rows[1] = rows[0] | rows[1]
    found = read(write(tmp_path / "x.jsonl", *rows), Choice())
    assert [entry.id for entry in found.examples] == ["1", "two"]
    assert found.examples[0].path == "x.py"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no rows"),
        (b"[1]\n", "JSON objects"),
        (b"{\n", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"question": 1, "answer": 2}\n', "answer, question"),
        (b'{"prefix": 1, "suffix": "", "middle": ""}\n', r"row 1: .*`str`, got `int`.*prefix"),
        (b'{"prefix": "", "suffix": "", "middle": ""}\n\n{"prefix": ""}\n', "row 2: .*`suffix`"),
        (b'{"prefix": "", "suffix": "", "middle": "", "path": null}\n', "row 1: .*path"),
        (2 * b'{"id": 1, "prefix": "", "suffix": "", "middle": ""}\n', "the same id"),
    ],
)
def test_what_is_no_data_set_is_refused_with_the_reason(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(BenchmarkError, match=said) as refused:
        read(path, Choice())
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (INFILLING | {"test": None}, "row 1: .*test"),
        (SANTACODER | {"language": 3}, "row 1: .*language"),
        (CROSSCODE | {"metadata": {"task_id": "x", "file": "a.py"}}, "row 1: .*`repository`"),
        (CROSSCODE | {"crossfile_context": {"list": [{"filename": "a.py"}]}},
         "row 1: .*`retrieved_chunk`.*list"),
        (TIMESPLIT | {"eval": [{"kind": "line", "path": "src/a.py", "start": 6}]},
         "row 1: .*`end`.*eval"),
        (TIMESPLIT | {"eval": [{"kind": "line", "path": "b.py", "start": 0, "end": 1}]},
         r"eval\[0\].*no b\.py"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong_is_named(tmp_path: Path, row: dict, said: str):
    with pytest.raises(BenchmarkError, match=said):
        read(write(tmp_path / "x.jsonl", row), Choice())


def test_a_data_set_is_known_by_its_bytes(tmp_path: Path):
    path = write(tmp_path / "x.jsonl", SANTACODER)
    before = read(path, Choice()).sha256
    assert before == hashlib.sha256(path.read_bytes()).hexdigest()
    write(path, SANTACODER | {"suffix": "    return 2\n"})
    assert read(path, Choice()).sha256 != before


def test_a_packed_file_that_is_none(tmp_path: Path):
    (tmp_path / "x.jsonl.gz").write_bytes(b"plain")
    (tmp_path / "x.json.xz").write_bytes(b"plain")
    for name in ("x.jsonl.gz", "x.json.xz"):
        with pytest.raises(BenchmarkError, match="cannot be read"):
            read(tmp_path / name, Choice())


def test_an_unknown_format_is_told_what_is_known(tmp_path: Path):
    with pytest.raises(
        BenchmarkError, match="humaneval-infilling: canonical_solution, entry_point"
    ):
        read(write(tmp_path / "x.jsonl", {"a": 1}), Choice())


def test_a_folder_is_read_if_it_holds_one_data_set(tmp_path: Path):
    with pytest.raises(BenchmarkError, match="holds none"):
        read(tmp_path, Choice())
    (tmp_path / "README.txt").write_text("about it")
    write(tmp_path / "x.jsonl", SANTACODER)
    assert read(tmp_path, Choice()).path == tmp_path / "x.jsonl"
    write(tmp_path / "y.jsonl.gz", SANTACODER)
    with pytest.raises(BenchmarkError, match=r"holds x\.jsonl, y\.jsonl\.gz; name the file"):
        read(tmp_path, Choice())
    with pytest.raises(BenchmarkError, match="no file or folder"):
        read(tmp_path / "nowhere", Choice())


@pytest.mark.skipif(not BENCH.is_dir(), reason="the evaluation data is not on this machine")
@pytest.mark.parametrize(
    ("name", "format_", "count"),
    [
        ("humaneval_infilling/HumanEval-SingleLineInfilling.jsonl.gz", "humaneval-infilling", 1033),
        ("humaneval_infilling/HumanEval-RandomSpanInfillingLight.jsonl.gz",
         "humaneval-infilling", 164),
        ("santacoder_fim", "santacoder-fim", 1043),
        ("humaneval", "humaneval", 164),
        ("mbpp", "humaneval", 427),
        ("cceval_python100", "crosscodeeval", 100),
        ("timesplit/ndv.json.xz", "timesplit", 360),
    ],
)  # fmt: skip
def test_the_published_files(name: str, format_: str, count: int):
    found = read(BENCH / name, Choice())
    assert (found.format, len(found.examples)) == (format_, count)
    if found.format != "timesplit":  # it has a span that is a blank line
        assert all(entry.middle.strip() for entry in found.examples)
