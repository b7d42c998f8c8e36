import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime

import pytest

from lsp_server.store import feedback
from lsp_server.store.feedback import (
    KEPT_DAYS,
    SCHEMA,
    EventRecord,
    FeedbackStore,
    NewerFeedbackError,
    SuggestionRecord,
)
from lsp_server.store.feedback_summary import BASE, Tally, read_feedback, wilson

NOON = datetime(2026, 11, 20, 12).astimezone().timestamp()  # days are local
DAY = 86_400


@pytest.fixture
def path(tmp_path):
    return tmp_path / "feedback.sqlite"


def suggestion(
    name,
    *,
    at=NOON,
    adapter=None,
    latency=100.0,
    answered_by="engine",
    repository="app-0123456789ab",
):
    return SuggestionRecord(
        name, at, repository, "python", adapter, "starter", answered_by, latency, 40, 2
    )


def event(name, kind, characters=0, inferred=True):
    return EventRecord(name, NOON, kind, characters, inferred)


def fill(path, suggestions, events=()):
    with closing(FeedbackStore.open(path, NOON)) as store:
        store.add(suggestions, events)


def rows(path, table):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def test_what_is_kept_holds_no_text_of_anybody(path):
    fill(path, [suggestion("a")], [event("a", "partlyAccepted", 7)])
    [row] = rows(path, "suggestions")
    assert row == (
        "a", NOON, "app-0123456789ab", "python", None, "starter", "engine", 100.0, 40, 2
    )  # fmt: skip
    assert rows(path, "events") == [("a", NOON, "partlyAccepted", 7, 1)]


def test_an_event_of_nothing_that_is_kept_is_left_out(path):
    fill(path, [], [event("unknown", "shown")])
    assert rows(path, "events") == []


def test_what_is_old_is_forgotten_with_its_events(path):
    old = NOON - (KEPT_DAYS + 1) * DAY
    fill(path, [suggestion("old", at=old), suggestion("new")], [event("old", "shown")])
    FeedbackStore.open(path, NOON).close()
    assert [row[0] for row in rows(path, "suggestions")] == ["new"]
    assert rows(path, "events") == []


def test_a_file_of_a_newer_tenon_is_left_alone(path):
    fill(path, [suggestion("a")])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    before = path.read_bytes()
    with pytest.raises(NewerFeedbackError, match="newer Tenon"):
        FeedbackStore.open(path)
    assert path.read_bytes() == before
    assert read_feedback(path).total().offered == 0


def test_an_older_schema_is_brought_up_to_date(path, monkeypatch):
    fill(path, [suggestion("a")])
    more = (*feedback.MIGRATIONS, "ALTER TABLE events ADD COLUMN more TEXT")
    monkeypatch.setattr(feedback, "MIGRATIONS", more)
    monkeypatch.setattr(feedback, "SCHEMA", SCHEMA + 1)
    FeedbackStore.open(path, NOON).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)
        assert connection.execute("SELECT more FROM events").fetchall() == []
    assert [row[0] for row in rows(path, "suggestions")] == ["a"]


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"\0" * 5000])
def test_a_damaged_file_is_set_aside_and_begun_anew(path, caplog, content):
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        fill(path, [suggestion("a")])
    assert (path.parent / "feedback.sqlite.damaged").read_bytes() == content
    assert len(rows(path, "suggestions")) == 1
    assert "was damaged" in caplog.text


def test_a_file_cut_short_is_set_aside(path):
    fill(path, [suggestion(str(number)) for number in range(2000)])
    os.truncate(path, path.stat().st_size // 2)
    fill(path, [suggestion("a")])
    assert [row[0] for row in rows(path, "suggestions")] == ["a"]


def test_somebody_elses_database_is_set_aside(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE suggestions (what TEXT)")
    fill(path, [suggestion("a")])
    assert (path.parent / "feedback.sqlite.damaged").exists()


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        FeedbackStore.open(tmp_path / "file" / "feedback.sqlite")
    (tmp_path / "feedback.sqlite").mkdir()
    with pytest.raises(OSError, match="cannot be written"):
        FeedbackStore.open(tmp_path / "feedback.sqlite")


def test_a_full_disk_is_an_os_error_and_keeps_nothing_halfway(path):
    with closing(FeedbackStore.open(path, NOON)) as store:
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OSError, match="full"):
            store.add([suggestion(str(number)) for number in range(5000)], [])
    assert rows(path, "suggestions") == []


def test_processes_write_the_same_file_at_once(path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.unit.store.test_feedback import event, suggestion\n"
        "from lsp_server.store.feedback import FeedbackStore\n"
        "store = FeedbackStore.open(Path(sys.argv[1]), suggestion('x').time)\n"
        "for number in range(50):\n"
        "    name = f'{sys.argv[2]}-{number}'\n"
        "    store.add([suggestion(name)], [event(name, 'shown')])\n"
        "store.close()\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    children = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    assert len(rows(path, "suggestions")) == len(rows(path, "events")) == 150


def test_two_that_find_a_damaged_file_begin_one_new_one(path):
    path.write_bytes(b"no database" * 1000)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.unit.store.test_feedback import suggestion\n"
        "from lsp_server.store.feedback import FeedbackStore\n"
        "store = FeedbackStore.open(Path(sys.argv[1]), suggestion('x').time)\n"
        "store.add([suggestion(sys.argv[2])], [])\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    children = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert len(rows(path, "suggestions")) == 4


def test_acceptance_counts_what_is_known_to_have_been_shown(path):
    fill(
        path,
        [suggestion(name) for name in "abcde"],
        [
            event("a", "shown"), event("a", "accepted", 40, inferred=False),
            event("b", "shown"), event("b", "dismissed"),
            event("c", "shown"), event("c", "partlyAccepted", 4), event("c", "partlyAccepted", 3),
            event("d", "accepted", 40, inferred=False),  # an editor that tells nothing else
        ],
    )  # fmt: skip
    total = read_feedback(path).total()
    assert (total.offered, total.shown, total.accepted, total.accepted_shown) == (5, 3, 2, 1)
    assert (total.partly, total.dismissed, total.characters) == (1, 1, 40 + 40 + 7)
    assert total.acceptance == pytest.approx(1 / 3)


def test_days_and_adapters_are_told_apart(path):
    fill(
        path,
        [
            suggestion("a", latency=100),
            suggestion("b", latency=300, adapter="one"),
            suggestion("c", latency=2, adapter="one", answered_by="cache", at=NOON + DAY),
            suggestion("d", latency=200, adapter="one", at=NOON + DAY),
            suggestion("e", repository="other-0123456789ab"),
        ],
    )
    found = read_feedback(path, "app-0123456789ab")
    first, second = date(2026, 11, 20), date(2026, 11, 21)
    assert list(found.by_day()) == [first, second]
    assert {name: tally.offered for name, tally in found.by_adapter().items()} == {
        BASE: 1,
        "one": 3,
    }
    assert found.by_day()[first].latency(50) == pytest.approx(200)
    assert found.by_day()[second].latency(95) == pytest.approx(200)
    assert read_feedback(path).total().offered == 5


@pytest.mark.parametrize("content", [None, b"", b"no database" * 100])
def test_a_file_that_cannot_be_read_adds_up_to_nothing(path, content):
    if content is not None:
        path.write_bytes(content)
    assert read_feedback(path).total() == Tally()


def test_wilson_as_published():
    # Newcombe 1998, table I: 81 of 263 and 15 of 148
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
