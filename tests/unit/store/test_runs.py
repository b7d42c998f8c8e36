import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import KEPT_RUNS, EventLog, JsonLines, Run, RunStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def repository(tmp_path: Path) -> RepositoryStore:
    return RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "app")


def test_a_run_has_a_folder_with_its_settings(repository: RepositoryStore):
    run = RunStore(repository).begin(b"seed = 1\n", NOON)
    assert run.folder == repository.runs / "20260102T120000Z"
    assert run.settings.read_bytes() == b"seed = 1\n"
    assert run.started == NOON
    assert list(run.read_events()) == []


def test_the_newest_runs_are_kept(repository: RepositoryStore):
    store = RunStore(repository)
    for minute in range(KEPT_RUNS + 3):
        store.begin(b"", NOON + timedelta(minutes=minute))
    runs = store.all()
    assert len(runs) == KEPT_RUNS
    assert runs[0].started == NOON + timedelta(minutes=KEPT_RUNS + 2)


def test_a_clock_that_was_set_back_does_not_hide_the_new_run(repository: RepositoryStore):
    store = RunStore(repository)
    old = store.begin(b"", NOON)
    new = store.begin(b"", NOON - timedelta(days=1))
    assert store.all() == [new, old]


def test_events_are_read_while_they_are_written(repository: RepositoryStore):
    run = RunStore(repository).begin(b"")
    with EventLog(run.events) as log:
        log.tell({"event": "step", "step": 1, "loss": 2.5})
        (event,) = run.read_events()
    assert (event["event"], event["loss"]) == ("step", 2.5)
    assert event["time"] > NOON.timestamp()


def test_a_torn_line_swallows_nothing(tmp_path: Path):
    run = Run(tmp_path)
    run.events.write_bytes(b'{"step": 1}\n{"step":')
    with JsonLines(run.events) as log:
        log.append({"step": 2})
    assert [event["step"] for event in run.read_events()] == [1, 2]
    with JsonLines(run.events) as log:
        log.append({"step": 3})
    assert json.loads(run.events.read_text("utf-8").splitlines()[-1]) == {"step": 3}


def test_two_runs_that_begin_within_one_second(repository):
    store = RunStore(repository)
    first = store.begin(b"", NOON + timedelta(milliseconds=100))
    second = store.begin(b"", NOON + timedelta(milliseconds=900))
    assert store.all() == [second, first]
