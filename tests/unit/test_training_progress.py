import asyncio
import contextlib

import pytest

from lsp_server.trainer_messages import TrainerReport
from lsp_server.training_progress import TrainingProgress, describe, is_running, percentage

SECONDS = 10


class Display:
    def __init__(self):
        self.shown = []

    def show(self, words, percentage):
        self.shown.append((words, percentage))


class FakeEditor:
    def __init__(self):
        self.displays, self.titles, self.open = [], [], 0
        self.stop = None

    @contextlib.asynccontextmanager
    async def display(self, title, on_cancel):
        self.stop = on_cancel
        self.titles.append(title)
        self.displays.append(Display())
        self.open += 1
        try:
            yield self.displays[-1]
        finally:
            self.open -= 1


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr("lsp_server.training_progress.REPORT_SECONDS", 0.02)


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 - several things are waited for
            await asyncio.sleep(0.005)


def training(step, **more):
    return TrainerReport("training", root="/home/shelf", step=step, steps=10, **more)


async def test_a_run_is_one_display_from_its_first_stage_to_its_end(quick):
    editor, cancelled = FakeEditor(), []
    progress = TrainingProgress(editor, lambda: cancelled.append(1))
    progress.follow(TrainerReport("waiting", root="/home/shelf"))
    assert editor.displays == []
    progress.follow(TrainerReport("preparing", "reading", root="/home/shelf"))
    await until(lambda: editor.open)
    for step in range(1, 11):
        progress.follow(training(step, loss=1.5, eta=30.0))
    await until(lambda: len(editor.displays[0].shown) == 2)
    assert editor.displays[0].shown[0] == ("reading", None)
    assert editor.displays[0].shown[1] == ("training, 10 of 10 steps, loss 1.500, 30 s left", 100)
    editor.stop()
    assert cancelled == [1]
    progress.follow(TrainerReport("idle", root="/home/shelf"))
    await until(lambda: not editor.open)
    assert editor.titles == ["Tenon learns shelf"]
    progress.follow(training(1))
    await until(lambda: len(editor.displays) == 2)
    await progress.aclose()
    assert editor.open == 0


def test_a_run_that_stands_still_is_still_one_but_not_on_the_users_word():
    held = {"root": "/r", "step": 3, "steps": 10}
    assert is_running(TrainerReport("paused", paused_by="typing", **held))
    assert not is_running(TrainerReport("paused", paused_by="user", **held))
    assert not is_running(TrainerReport("paused", paused_by="typing", root="/r"))
    words = describe(TrainerReport("paused", paused_by="typing", **held))
    assert words == "paused (typing), step 3 of 10"


def test_what_is_judged_is_counted_in_spans_and_long_times_in_minutes():
    report = TrainerReport("judging", step=5, steps=20, eta=600.0)
    assert describe(report) == "judging, 5 of 20 spans, 10 min left"
    assert (percentage(report), percentage(TrainerReport("judging"))) == (25, None)
