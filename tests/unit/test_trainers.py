import asyncio

import pytest

from lsp_server import trainer as trainer_module
from lsp_server import trainers as trainers_module
from lsp_server.errors import TrainerUnavailableError
from lsp_server.settings import ServerSettings
from lsp_server.store.paths import StorePaths
from lsp_server.store.typing_mark import TypingMark
from lsp_server.trainer_messages import Schedule, Train, TrainerReport
from lsp_server.trainers import Trainers, schedule_of
from tests.watchers import orders, watcher


@pytest.fixture
async def trainers(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer_module.children, "command", lambda *_: watcher())
    made = Trainers(StorePaths(tmp_path / "home"), lambda _: None)
    made.configure(ServerSettings())
    yield made
    await made.aclose()


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - processes write
            await asyncio.sleep(0.01)


def noted(tmp_path, has):
    return [entry for entry in orders(tmp_path / "home") if has(entry)]


async def started(tmp_path, count):
    await until(lambda: len(noted(tmp_path, lambda entry: "started" in entry)) == count)
    return noted(tmp_path, lambda entry: "started" in entry)


async def test_each_repository_that_is_open_has_a_trainer_of_its_own(tmp_path, trainers):
    for name, mark in (("a", ".git"), ("b", "tenon.toml")):
        (tmp_path / name / mark).mkdir(parents=True)
        await trainers.open(str(tmp_path / name))
        await trainers.open(str(tmp_path / name))
    assert len({entry["pid"] for entry in await started(tmp_path, 2)}) == 2
    await trainers.close(str(tmp_path / "a"))
    assert trainers.report_of(str(tmp_path / "a")) is None
    assert trainers.report_of(str(tmp_path / "b")) is not None
    with pytest.raises(TrainerUnavailableError, match="not open"):
        trainers.order(str(tmp_path / "a"), Train())


async def test_what_is_no_repositorys_root_is_not_learnt_and_says_so(tmp_path, trainers):
    await trainers.open(str(tmp_path))
    assert trainers.report_of(str(tmp_path)).state == "off"
    with pytest.raises(TrainerUnavailableError, match="not the root of a git repository"):
        trainers.order(str(tmp_path), Train())
    assert orders(tmp_path / "home") == []


async def test_a_key_anywhere_is_told_to_all_trainers_and_left_for_other_windows(
    tmp_path, trainers, monkeypatch
):
    mark = TypingMark(StorePaths(tmp_path / "home"))
    trainers.typed()  # in a window without a repository
    assert mark.is_new()
    for name in ("a", "b"):
        (tmp_path / name / ".git").mkdir(parents=True)
        await trainers.open(str(tmp_path / name))
    pids = {entry["pid"] for entry in await started(tmp_path, 2)}
    await until(
        lambda: all(trainers.report_of(str(tmp_path / name)).pending for name in ("a", "b"))
    )

    def told():
        return {it["pid"] for it in noted(tmp_path, lambda entry: entry.get("type") == "typing")}

    trainers.typed()
    await until(lambda: told() == pids)
    monkeypatch.setattr(trainers_module, "TYPING_SECONDS", 600.0)
    mark.is_new()
    trainers.typed()
    assert not mark.is_new()  # four times a second at most


async def test_a_run_is_told_of_whichever_repository_was_asked_about(tmp_path, trainers):
    a, b = (str(tmp_path / name) for name in "ab")
    for root in (a, b):
        (tmp_path / root / ".git").mkdir(parents=True)
        await trainers.open(root)

    def told(root, **report):
        trainers._trainers[b].report = TrainerReport(root=b, **report)
        return trainers.report_for(root).root

    assert told(a, state="idle") == a
    for state in ("preparing", "training", "judging"):
        assert told(a, state=state) == b
    assert told(a, state="paused", paused_by="typing") == b
    assert told(a, state="paused", paused_by="user", steps=100) == b
    assert told(a, state="paused", paused_by="user") == a
    assert told(b, state="paused", paused_by="user") == b
    trainers._trainers[a].report = TrainerReport("training", root=a)
    assert told(a, state="training") == a
    assert trainers.report_for(None).state == "training"
    assert trainers.report_for("/elsewhere").state == "training"


def test_settings_become_a_schedule():
    settings = ServerSettings(
        training="manual", training_min_changes=3, training_idle_seconds=4,
        training_min_gap_minutes=5, training_on_battery=True, training_hours="22:00-06:00",
    )  # fmt: skip
    assert schedule_of(settings) == Schedule(
        mode="manual", min_changes=3, idle_seconds=4, min_gap_minutes=5, on_battery=True,
        hours="22:00-06:00",
    )  # fmt: skip
    assert schedule_of(ServerSettings()) == Schedule()
