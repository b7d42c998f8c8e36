import asyncio
import logging
import sqlite3
from contextlib import closing

import pytest

from lsp_server import recording
from lsp_server.completion.query import Completion
from lsp_server.completion.reasons import Reason
from lsp_server.protocol import Event
from lsp_server.recording import OFFERED, FeedbackRecorder
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore

ANSWER = Completion("one\ntwo", Reason.SHOWN, "starter", "an-adapter", {"total_ms": 12.5})


@pytest.fixture
def paths(tmp_path):
    return StorePaths(tmp_path / "home")


def rows(paths, table):
    with closing(sqlite3.connect(paths.feedback)) as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


async def test_suggestions_and_events_are_written_in_one_go(paths, tmp_path):
    recorder = FeedbackRecorder(paths)
    recorder.offered("a", ANSWER, str(tmp_path), "python")
    recorder.event(Event("a", "shown", inferred=True))
    recorder.event(Event("a", "partlyAccepted", 999, inferred=True))
    recorder.accepted("a")
    await recorder.aclose()
    [row] = rows(paths, "suggestions")
    folder = RepositoryStore.of(paths, tmp_path).folder.name
    assert row[2:] == (folder, "python", "an-adapter", "starter", "engine", 12.5, 7, 2)
    found = [(kind, characters, inferred) for _, _, kind, characters, inferred in
             rows(paths, "events")]  # fmt: skip
    assert found == [("shown", 0, 1), ("partlyAccepted", 7, 1), ("accepted", 7, 0)]


async def test_a_batch_is_written_without_being_asked(paths, monkeypatch):
    monkeypatch.setattr(recording, "BATCH_SECONDS", 0.01)
    recorder = FeedbackRecorder(paths)
    recorder.offered("a", ANSWER, "", "python")
    await recorder._writer
    assert len(rows(paths, "suggestions")) == 1
    recorder.accepted("a")
    await recorder._writer
    assert len(rows(paths, "events")) == 1
    await recorder.aclose()


async def test_what_is_asked_for_is_written_at_once(paths):
    recorder = FeedbackRecorder(paths)
    recorder.offered("a", ANSWER, "", "python")
    recorder.accepted("a")
    await recorder.flush()
    assert (len(rows(paths, "suggestions")), len(rows(paths, "events"))) == (1, 1)
    recorder.offered("b", ANSWER, "", "python")
    await asyncio.gather(recorder.flush(), recorder.aclose())
    assert len(rows(paths, "suggestions")) == 2


async def test_nothing_is_written_where_the_user_said_no(paths):
    recorder = FeedbackRecorder(paths)
    recorder.enabled = False
    recorder.offered("a", ANSWER, "", "python")
    recorder.accepted("a")
    await recorder.aclose()
    assert not paths.root.exists()


async def test_what_is_pending_when_the_user_says_no_is_dropped(paths):
    recorder = FeedbackRecorder(paths)
    recorder.offered("a", ANSWER, "", "python")
    recorder.enabled = False
    await recorder.aclose()
    assert not paths.root.exists()


async def test_events_of_unknown_suggestions_are_passed_over(paths):
    recorder = FeedbackRecorder(paths)
    recorder.event(Event("never offered", "shown"))
    for number in range(OFFERED + 1):
        recorder.offered(str(number), ANSWER, "", "python")
    recorder.accepted("0")
    await recorder.aclose()
    assert len(rows(paths, "suggestions")) == OFFERED + 1
    assert rows(paths, "events") == []


async def test_a_home_that_cannot_be_written_ends_it_with_one_line(tmp_path, caplog):
    (tmp_path / "home").write_text("a file where a folder should be")
    recorder = FeedbackRecorder(StorePaths(tmp_path / "home"))
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            recorder.offered(str(number), ANSWER, "", "python")
            async with recorder._writing:
                await recorder._flush()
        await recorder.aclose()
    assert len(caplog.records) == 1
    assert "feedback is off" in caplog.text


async def test_a_session_that_ends_amid_a_write_loses_nothing(paths, monkeypatch):
    monkeypatch.setattr(recording, "BATCH_SECONDS", 0.0)
    recorder = FeedbackRecorder(paths)
    recorder.offered("a", ANSWER, "", "python")
    await asyncio.sleep(0.005)  # the thread has the first batch
    recorder.offered("b", ANSWER, "", "python")
    await recorder.aclose()
    assert {row[0] for row in rows(paths, "suggestions")} == {"a", "b"}
