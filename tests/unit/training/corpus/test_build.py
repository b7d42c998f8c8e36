"""From a manifest to shards, on a wheel of three files."""

import collections
import gzip
import hashlib
import json
import zipfile

import pytest

from training.corpus import build
from training.corpus.manifest import Source, read_manifest, write_manifest
from training.corpus.shards import Record, read_shards

FUNCTION = '''"""Module {name}."""


def {name}_of(values, limit):
    """All the {name} values of a list that do not exceed the limit, in their order."""
    chosen_{name} = [value for value in values if value.{name} <= limit]
    chosen_{name}.sort(key=lambda value: value.{name}_rank)
    return chosen_{name}
'''

SOLVED = """def paint_fence(boards, colours):
    previous = None
    for board in boards:
        previous = next(colour for colour in colours if colour != previous)
        board.paint(previous, layers=board.thickness + 1)
    return [board.colour for board in boards if not board.dry]
"""


@pytest.fixture
def setting(tmp_path):
    downloads, sets = tmp_path / "downloads", tmp_path / "sets"
    downloads.mkdir()
    sets.mkdir()
    wheel = downloads / "thing-1.0-py3-none-any.whl"
    files = {
        "thing/a.py": FUNCTION.format(name="first"),
        "thing/b.py": FUNCTION.format(name="second"),
        "thing/copy.py": FUNCTION.format(name="first"),
        "thing/solved.py": SOLVED,
        "thing/tiny.py": "x = 1\n",
        "thing-1.0.dist-info/METADATA": "Name: thing\nLicense-Expression: MIT\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    row = {"prompt": "", "canonical_solution": SOLVED}
    with gzip.open(sets / "set.jsonl.gz", "wt") as file:
        file.write(json.dumps({**row, "entry_point": "paint_fence"}) + "\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    write_manifest(tmp_path / "manifest.csv", [Source("1", "pypi:thing==1.0", digest, "MIT")])
    return tmp_path


def run(folder, *more):
    arguments = [folder / "manifest.csv", folder / "out", "--against", folder / "sets"]
    arguments += ["--downloads", folder / "downloads", "--repositories", folder, *more]
    return build.main([str(argument) for argument in [*arguments, "--processes", "1"]])


def test_the_build_keeps_what_is_new_and_counts_the_rest(setting):
    assert run(setting) == 0
    records = list(read_shards([setting / "out" / "group1-00.jsonl.xz"]))
    assert [record.path for record in records] == ["thing/a.py", "thing/b.py"]
    report = json.loads((setting / "out" / "report-1.json").read_text())
    assert report["duplicate"] == report["size"] == report["repeats a problem"] == 1
    (row,) = read_manifest(setting / "manifest.csv")
    assert (row.files, row.size) == (2, sum(len(record.text) for record in records))


def test_earlier_shards_count_as_seen(setting):
    run(setting)
    (row,) = read_manifest(setting / "manifest.csv")
    write_manifest(setting / "manifest.csv", [Source("2", row.name, row.sha256, row.licence)])
    run(setting, "--groups", "2", "--after", setting / "out" / "group1-00.jsonl.xz")
    assert not (setting / "out" / "group2-00.jsonl.xz").exists()


def test_a_source_gives_no_more_than_its_share(monkeypatch):
    source = Source("1", "pypi:thing==1.0", "", "MIT")
    names = ("one", "two", "three", "four")
    files = [(f"thing/{name}.py", FUNCTION.format(name=name).encode()) for name in names]
    removed = collections.Counter()
    chosen = build._first(source, files, 2 * len(files[0][1]) + 50, removed)
    assert chosen == [Record(source.name, path, text.decode()) for path, text in files[:2]]
    assert removed == {"over its source's share": 2}


def test_shards_have_a_size(monkeypatch):
    monkeypatch.setattr(build, "SHARD_BYTES", 100)
    records = [Record("pypi:a==1", f"{number}.py", "x" * 60) for number in range(5)]
    assert [len(shard) for shard in build.shards(records)] == [2, 2, 1]


def test_a_build_of_one_group_leaves_the_others_in_the_manifest(setting):
    (row,) = read_manifest(setting / "manifest.csv")
    other = Source("2", "pypi:other==1.0", "0" * 64, "MIT", 7, 700)
    write_manifest(setting / "manifest.csv", [other, row])
    (setting / "out").mkdir()
    (setting / "out" / "group1-07.jsonl.xz").write_bytes(b"of an earlier, larger build")
    run(setting, "--groups", "1")
    built, kept = read_manifest(setting / "manifest.csv")
    assert (built.name, built.files) == (row.name, 2)
    assert kept == other
    assert [path.name for path in (setting / "out").glob("*.xz")] == ["group1-00.jsonl.xz"]
