"""A run that was killed goes on as if nothing had happened, or begins anew."""

import os
from pathlib import Path

import pytest

from tests.train_extra import torch

pytest.importorskip("peft")

from dataclasses import replace

from tests.tiny_trainee import Follower, Trained, tiny_material, tiny_samples, trained
from training.recipe import checkpoints
from training.recipe.recipe import TrainingCancelledError, TrainingEvent

HELDOUT = tiny_material(heldout=tiny_samples(seed=9))
ALWAYS = {"checkpoint_seconds": 0.0, "passes": 5.0, "measures": 5, "patience": 9}
"""10 steps, each followed by a checkpoint."""


def stopped(path: Path, after: int, **changes: object) -> None:
    with pytest.raises(TrainingCancelledError):
        trained(HELDOUT, Follower(after, path), **ALWAYS | changes)


def assert_same(one: Trained, other: Trained) -> None:
    assert all(map(torch.equal, one.weights, other.weights))
    assert one.progress.best == other.progress.best
    assert one.progress.tokens == other.progress.tokens
    assert [it.heldout for it in one.events][-len(other.events) :] == [
        it.heldout for it in other.events
    ]


@pytest.mark.parametrize("after", [1, 4, 9])
@pytest.mark.parametrize(
    "changes",
    [{}, {"dropout": 0.3}, {"method": "dora"}, {"method": "adalora"}, {"method": "full"}],
    ids=str,
)
def test_a_killed_run_goes_on_bit_for_bit(
    tmp_path: Path, after: int, changes: dict[str, object]
) -> None:
    path = tmp_path / "checkpoint.pt"
    whole = trained(HELDOUT, **ALWAYS | changes)
    stopped(path, after, **changes)
    follower = Follower(checkpoint=path)
    resumed = trained(HELDOUT, follower, **ALWAYS | changes)
    assert follower.asked == 10 - after
    assert_same(whole, resumed)


def test_what_was_told_was_saved(tmp_path: Path) -> None:
    """Short runs end before the first interval: each measurement saves, too."""
    path, saved = tmp_path / "checkpoint.pt", []

    class Told(list[TrainingEvent]):
        def append(self, event: TrainingEvent) -> None:
            found = torch.load(path, weights_only=True)["progress"] if path.is_file() else {}
            saved.append((event.step, found.get("step")))

    trained(HELDOUT, Follower(checkpoint=path, events=Told()), passes=5.0, measures=5, patience=9)
    assert saved == [(0, None), (2, 2), (4, 4), (6, 6), (8, 8), (10, 10)]


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    whole = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS)
    again = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS)
    assert again.events == []
    assert all(map(torch.equal, whole.weights, again.weights))


def test_time_that_was_spent_counts(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4)
    before = torch.load(path, weights_only=True)["progress"]
    after = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS).progress
    assert after.seconds > before["seconds"] > 0
    assert after.computing > before["computing"] > 0


@pytest.mark.parametrize(
    "changes", [{"identity": "other"}, {"pass_size": 9}, {"config": {"seed": 2}}], ids=str
)
def test_another_runs_checkpoint_is_let_be(tmp_path: Path, changes: dict[str, object]) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4)
    settings = ALWAYS | changes.pop("config", {})
    material = replace(HELDOUT, **changes)
    anew = trained(material, Follower(checkpoint=path), **settings)
    assert_same(anew, trained(material, **settings))
    assert anew.events[0].step == 0


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    path.write_bytes(b"no checkpoint at all")


def older(path: Path) -> None:
    """As a version with other words wrote it."""
    state = torch.load(path, weights_only=True)
    state["progress"]["epoch"] = 3
    torch.save(state, path)


def only_a_tensor(path: Path) -> None:
    torch.save(torch.zeros(3), path)


def of_other_shapes(path: Path) -> None:
    state = torch.load(path, weights_only=True)
    state["parameters"][0] = torch.zeros(1)
    torch.save(state, path)


@pytest.mark.parametrize(
    "damage", [cut_short, emptied, overwritten, older, only_a_tensor, of_other_shapes]
)
def test_what_cannot_be_read_is_no_checkpoint(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4)
    damage(path)
    anew = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS)
    assert_same(anew, trained(HELDOUT, **ALWAYS))


def test_a_cancelled_run_leaves_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4)
    assert list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4)
    old = path.read_bytes()

    def full(_number: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        trained(HELDOUT, Follower(checkpoint=path), **ALWAYS)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == old


def test_between_measurements_nothing_is_saved_before_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, save = [], checkpoints.save
    monkeypatch.setattr(checkpoints, "save", lambda *it: saved.append(1) or save(*it))
    path = tmp_path / "checkpoint.pt"
    whole = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS | {"checkpoint_seconds": 3600.0})
    assert len(saved) == 5
    again = trained(HELDOUT, Follower(checkpoint=path), **ALWAYS | {"checkpoint_seconds": 3600.0})
    assert again.events == []
    assert all(map(torch.equal, whole.weights, again.weights))


def test_what_was_cancelled_keeps_every_step(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    stopped(path, 4, checkpoint_seconds=3600.0)
    assert torch.load(path, weights_only=True)["progress"]["step"] == 4
