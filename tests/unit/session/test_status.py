import asyncio

import pytest

from lsp_server.session.status import StatusBoard
from lsp_server.trainer_messages import TrainerReport


class Board:
    """A status board, what it has told, and what the trainer does."""

    def __init__(self):
        self.told = []
        self.board = StatusBoard(self.told.append)
        self.trainer = TrainerReport("idle")
        self.adapter = None

    def look(self):
        return self.board.status(None, enabled=True, adapter=self.adapter, trainer=self.trainer)

    def step(self, number):
        self.trainer = TrainerReport("training", step=number, steps=100)
        self.board.publish(self.look)

    @property
    def steps(self):
        return [status.trainer.step for status in self.told]


@pytest.fixture
def seconds(monkeypatch):
    monkeypatch.setattr("lsp_server.session.status.TRAINER_SECONDS", 0.1)


async def test_a_trainers_figures_are_told_seldom_and_the_last_always(seconds):
    board = Board()
    for number in range(1, 21):
        board.step(number)
        await asyncio.sleep(0.015)
    await asyncio.sleep(0.2)
    assert board.steps[0] == 1
    assert board.steps[-1] == 20
    assert 3 <= len(board.steps) <= 6
    board.step(20)
    assert board.steps[-2:] != [20, 20]


async def test_a_trainers_state_is_told_at_once(seconds):
    board = Board()
    board.board.publish(board.look)
    board.step(1)
    board.trainer = TrainerReport("paused", step=1, steps=100, paused_by="typing")
    board.board.publish(board.look)
    assert [status.trainer.state for status in board.told] == ["idle", "training", "paused"]


async def test_closed_it_tells_nothing_more_by_itself(seconds):
    board = Board()
    board.step(1)
    board.step(2)
    board.board.close()
    await asyncio.sleep(0.2)
    assert board.steps == [1]


async def test_what_was_announced_is_not_told_again():
    board = Board()
    board.board.publish(board.look)  # when nobody listened yet
    board.trainer = TrainerReport("waiting")
    board.board.announce(board.look)
    board.board.publish(board.look)
    assert [status.trainer.state for status in board.told] == ["idle", "waiting"]
