import asyncio
import time

import psutil
import pytest

from lsp_server import trainer as trainer_module
from lsp_server.errors import TrainerUnavailableError
from lsp_server.store.paths import StorePaths
from lsp_server.trainer import ELSEWHERE, TrainerProcess
from lsp_server.trainer_messages import Cancel, Pause, Schedule, Train, TrainerReport
from tests.watchers import orders, watcher

AUTOMATIC = Schedule(mode="automatic", min_changes=5)
SECONDS = 20


class Heard:
    """The reports of a trainer, and a way to wait for one."""

    def __init__(self):
        self.reports: list[TrainerReport] = []
        self._news = asyncio.Event()

    def __call__(self, report):
        self.reports.append(report)
        self._news.set()

    async def until(self, condition, seen=0):
        """The first report from the ``seen``-th on that fulfils a condition."""
        async with asyncio.timeout(SECONDS):
            while True:
                for report in self.reports[seen:]:
                    if condition(report):
                        return report
                self._news.clear()
                await self._news.wait()

    async def state(self, state, seen=0):
        return await self.until(lambda report: report.state == state, seen)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def quick(monkeypatch):
    """Back-off and grace in hundredths."""
    monkeypatch.setattr(trainer_module, "BACK_OFF_SECONDS", (0.01, 0.02, 0.03))
    monkeypatch.setattr(trainer_module, "ELSEWHERE_SECONDS", 0.2)
    monkeypatch.setattr(trainer_module, "GRACE_SECONDS", 0.3)


@pytest.fixture
async def start(tmp_path, heard):
    begun = []

    def begin(manner="well", schedule=AUTOMATIC, **options):
        options.setdefault("missing", list)
        paths = StorePaths(tmp_path / "home")
        made = TrainerProcess(
            paths, str(tmp_path / "repo"), heard, command=watcher(manner), **options
        )
        begun.append(made)
        made.configure(schedule)
        return made

    yield begin
    for made in begun:
        await made.aclose()


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not (found := condition()):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.01)
    return found


def noted(tmp_path, kind):
    return [entry for entry in orders(tmp_path / "home") if entry.get("type") == kind]


async def test_a_watcher_gets_the_schedule_and_its_reports_name_the_folder(tmp_path, start, heard):
    trainer = start()
    report = await heard.until(lambda report: report.pending == 3)
    assert (report.root, report.message) == (str(tmp_path / "repo"), "waiting for changes")
    assert trainer.report == report
    [begun] = [entry for entry in orders(tmp_path / "home") if "started" in entry]
    assert (begun["cwd"], begun["safe"]) == (str(tmp_path / "home"), "1")
    [schedule] = await until(lambda: noted(tmp_path, "schedule"))
    assert (schedule["mode"], schedule["minChanges"]) == ("automatic", 5)


@pytest.mark.parametrize("mode", ["automatic", "manual"])
async def test_one_that_is_starting_says_whether_it_begins_by_itself(start, mode):
    assert start(schedule=Schedule(mode=mode)).report.manual == (mode == "manual")


async def test_orders_and_new_schedules_reach_it(tmp_path, start, heard):
    trainer = start()
    trainer.order(Train())  # before it has come up
    report = await heard.state("training")
    assert (report.step, report.loss, report.eta) == (1, 2.5, 9.0)
    trainer.order(Pause())
    assert (await heard.state("paused")).paused_by == "user"
    trainer.configure(AUTOMATIC)
    trainer.configure(Schedule(mode="manual"))
    trainer.order(Cancel())
    await until(lambda: noted(tmp_path, "cancel"))
    assert [entry["mode"] for entry in noted(tmp_path, "schedule")] == ["automatic", "manual"]


async def test_typing_is_told_at_once_and_then_seldom(tmp_path, start, heard):
    trainer = start()
    await heard.until(lambda report: report.pending == 3)
    began = time.monotonic()
    for _ in range(50):
        trainer.typed()
        await asyncio.sleep(0.01)
    took = time.monotonic() - began
    trainer.order(Cancel())
    await until(lambda: noted(tmp_path, "cancel"))
    told = len(noted(tmp_path, "typing"))
    assert 2 <= told <= took / trainer_module.TYPING_SECONDS + 1


async def test_a_killed_watcher_begins_again_and_knows_the_schedule(tmp_path, start, heard, quick):
    trainer = start()
    await heard.until(lambda report: report.pending == 3)
    await until(lambda: noted(tmp_path, "schedule"))
    first = trainer.pid
    psutil.Process(first).kill()
    down = await heard.state("error")
    assert "begins again" in down.message
    assert down.pending == 3  # what was known is still true
    await heard.until(lambda report: report.state == "idle", heard.reports.index(down))
    assert trainer.pid not in {first, None}
    await until(lambda: len(noted(tmp_path, "schedule")) == 2)


async def test_one_that_fails_is_begun_ever_more_slowly_and_says_why(start, heard, monkeypatch):
    monkeypatch.setattr(trainer_module, "BACK_OFF_SECONDS", (0.1, 0.2, 0.4))
    start("fails")
    report = await heard.until(lambda report: "in 0 s" in report.message)
    assert report.message.endswith("the repository is gone")
    began = time.monotonic()
    await until(lambda: len([entry for entry in heard.reports if entry.state == "error"]) == 4)
    assert time.monotonic() - began >= 0.2 + 0.4


async def test_an_order_begins_one_that_waits(tmp_path, start, heard, monkeypatch):
    monkeypatch.setattr(trainer_module, "BACK_OFF_SECONDS", (300.0,))
    trainer = start()
    await heard.until(lambda report: report.pending == 3)
    psutil.Process(trainer.pid).kill()
    await heard.state("error")
    trainer.order(Train())
    assert (await heard.state("training")).steps == 10


async def test_what_is_no_report_is_passed_over(start, heard):
    start("babbles")
    assert (await heard.until(lambda report: report.pending == 3)).state == "idle"
    assert "error" not in {report.state for report in heard.reports}


async def test_two_windows_have_one_watcher_and_the_second_takes_over(
    tmp_path, start, heard, quick
):
    trainer = start("elsewhere")
    report = await heard.state("waiting")
    assert report.waiting_for == (ELSEWHERE,)
    assert report.message.startswith("Another editor window watches this repository")
    with pytest.raises(TrainerUnavailableError, match="Another editor window"):
        trainer.order(Train())
    (tmp_path / "home" / "free").touch()
    await heard.until(lambda report: report.pending == 3)
    trainer.order(Train())
    await heard.state("training")


async def test_without_its_packages_there_is_no_child_until_they_are_there(tmp_path, start, heard):
    lacking = ["torch", "watchdog"]
    trainer = start(missing=lambda: list(lacking))
    report = await heard.state("unavailable")
    assert "torch, watchdog" in report.message
    assert "tenon setup train" in report.message
    with pytest.raises(TrainerUnavailableError, match="tenon setup train"):
        trainer.order(Train())
    assert orders(tmp_path / "home") == []
    lacking.clear()
    trainer.retry()
    await heard.until(lambda report: report.pending == 3)


async def test_off_means_no_child_and_on_again_means_one(tmp_path, start, heard):
    trainer = start(schedule=Schedule(mode="off"))
    assert trainer.report.state == "off"
    with pytest.raises(TrainerUnavailableError, match="switched off by"):
        trainer.order(Train())
    trainer.configure(AUTOMATIC)
    await heard.until(lambda report: report.pending == 3)
    child = psutil.Process(trainer.pid)
    trainer.configure(Schedule(mode="off"))
    assert trainer.report.state == "off"
    await until(lambda: not child.is_running())
    assert trainer.report.state == "off"  # its end is no trouble
    trainer.configure(AUTOMATIC)
    await until(lambda: trainer.pid not in {None, child.pid})


async def test_what_the_team_has_switched_off_is_not_trained_and_says_so(tmp_path, start, heard):
    trainer = start("off")
    await heard.until(lambda report: "tenon.toml" in report.message)
    with pytest.raises(TrainerUnavailableError, match=r"off in tenon\.toml"):
        trainer.order(Train())
    trainer.order(Cancel())  # nothing is lost by handing this on
    await until(lambda: noted(tmp_path, "cancel"))
    assert noted(tmp_path, "train") == []


async def test_at_the_end_its_input_closes_and_it_goes(tmp_path, start, heard):
    trainer = start()
    await heard.until(lambda report: report.pending == 3)
    child = psutil.Process(trainer.pid)
    await trainer.aclose()
    assert not child.is_running()
    assert orders(tmp_path / "home")[-1]["ended"] is True


async def test_one_that_stays_is_made_to_go(start, heard, quick):
    trainer = start("stays")
    await heard.until(lambda report: report.pending == 3)
    child = psutil.Process(trainer.pid)
    await trainer.aclose()
    assert not child.is_running()


async def test_what_cannot_be_started_is_told(tmp_path, heard, quick):
    paths = StorePaths(tmp_path / "home")
    command = [str(tmp_path / "nothing")]
    trainer = TrainerProcess(paths, str(tmp_path), heard, command=command, missing=list)
    trainer.configure(AUTOMATIC)
    assert "could not be started" in (await heard.state("error")).message
    await trainer.aclose()
