"""What was left out: counted in memory, whole on disk, also after a kill."""

from pathlib import Path

import msgspec
import pytest

from training.curation.ledger import Ledger, Rejected, read_ledger


def rejected(number: int, reason: str = "stub", what: str = "pair") -> Rejected:
    return Rejected(path=f"src/f{number}.py", what=what, reason=reason, name=f"f{number}")


def test_counts_everything_and_shows_the_first():
    ledger = Ledger(examples=2)
    for number in range(5):
        ledger.add(rejected(number))
    ledger.add(rejected(5, "accessor"))
    ledger.add(Rejected(path="a.bin", what="file", reason="binary"))
    rows = [(row.what, row.reason, row.count, len(row.examples)) for row in ledger.summary()]
    assert rows == [("file", "binary", 1, 1), ("pair", "stub", 5, 2), ("pair", "accessor", 1, 1)]
    assert ledger.summary()[1].examples == (rejected(0), rejected(1))
    assert (ledger.total("pair"), ledger.total("file"), ledger.total("middle")) == (6, 1, 0)


def test_where_a_file_is_broken_is_no_reason_of_its_own():
    ledger = Ledger()
    for number in range(3):
        ledger.add(rejected(number, f"syntax error in line {number}", "file"))
    (row,) = ledger.summary()
    assert (row.reason, row.count) == ("syntax error", 3)
    assert row.examples[1].reason == "syntax error in line 1"


def test_every_case_is_on_disk_before_the_ledger_is_closed(tmp_path: Path):
    path = tmp_path / "runs" / "ledger.jsonl"
    with Ledger(path, examples=1) as ledger:
        for number in range(3):
            ledger.add(rejected(number))
        assert list(read_ledger(path)) == [rejected(0), rejected(1), rejected(2)]


def test_a_line_that_a_kill_cut_short_ends_the_file(tmp_path: Path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.add(rejected(0))
        ledger.add(rejected(1))
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_ledger(path)) == [rejected(0)]


def test_a_new_run_begins_the_file_anew(tmp_path: Path):
    path = tmp_path / "ledger.jsonl"
    for number in range(2):
        with Ledger(path) as ledger:
            ledger.add(rejected(number))
    assert list(read_ledger(path)) == [rejected(1)]


def test_a_file_of_something_else_is_no_ledger(tmp_path: Path):
    path = tmp_path / "other.jsonl"
    path.write_text('{"prefix": "a"}\n', encoding="utf-8")
    with pytest.raises(msgspec.ValidationError):
        list(read_ledger(path))
