"""The whole story over the protocol: code is saved, is learnt, wins, and serves; nothing is a fake.

Two small repositories are written in idioms that no model knows, so that a short real training wins
a real gate. Both are open in one editor, whose server starts watchers, which start runs.
"""

import asyncio
import os
import random

import psutil
import pytest
from lsprotocol import types

from lsp_server.store.locks import RunLock
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.store.runs import RunStore
from lsp_server.store.trainer_state import read_trainer
from tests.editors import editor
from tests.git_repositories import repository
from tests.idiomatic import VERBS, idiomatic, module
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up

STORY_SECONDS = 2400
"""On a machine that has other things to do; on two free cores it takes some minutes."""
RULES = """
[training]
min_changes = 4
idle_seconds = 1
min_gap_minutes = 0
drift = 0.0
on_battery = true
time_budget = {training}
gate_seconds = {gate}
"""
ENOUGH = {"training": 60, "gate": 120}
"""Seconds, on two free cores."""
BUSY = {"training": 240, "gate": 480}
"""Where others take the cores, and the gate has not come to a verdict."""
OPTIONS = {"contextTokens": 256, "threads": 1, "logLevel": "debug"}
"""Short prompts; and one thread, which waits for no other: a busy machine costs its share alone."""
pytestmark = [
    pytest.mark.timeout(STORY_SECONDS),
    pytest.mark.skipif(
        "TENON_STORY" not in os.environ,
        reason="two trainings and two gates: make test-story, on a machine that does nothing else",
    ),
]


def project(folder, seed):
    """A repository in idioms of its own; returns it and nouns that nobody has written on yet."""
    made = repository(folder)
    made.write("tenon.toml", RULES.format(**ENOUGH))
    return made, idiomatic(made, seed)


async def save(session, made, noun):
    """A new file as an editor saves one."""
    text = module(noun, tuple(VERBS), random.Random(noun))
    path = made.root / "house" / f"{noun}s.py"
    uri = session.open(text, path.as_uri())
    path.write_text(text)
    document = types.TextDocumentIdentifier(uri)
    session.client.text_document_did_save(types.DidSaveTextDocumentParams(document))
    return uri


async def answered_by(session, uri):
    """Which adapter answers in a document."""
    await session.complete(uri, 9, 8)
    return (await session.status()).recent[-1].adapter


def trainer(*states):
    return lambda status: status.trainer is not None and status.trainer.state in states


async def learnt(session, made, store):
    """Wait until a repository's run has ended; returns the adapter that won."""
    last = await ended(store)
    if "give the gate more time" in last.reason:
        made.write("tenon.toml", RULES.format(**BUSY))
        await execute(session, "tenon.startTraining", made.root.as_uri())
        last = await ended(store, last)
    assert last.promoted, last
    return last.adapter


async def ended(store, before=None):
    """The verdict of a run after the one of the verdict ``before``."""
    async with asyncio.timeout(STORY_SECONDS):
        while (last := read_trainer(store).last) == before:  # noqa: ASYNC110 - others write it
            await asyncio.sleep(0.5)
    return last


async def killed_midway(session, store):
    """End the run of a repository as the kernel would, once it has trained a while."""
    await session.until(lambda status: trainer("training")(status) and status.trainer.step > 0)
    holder = RunLock(store).holder()
    assert holder is not None
    psutil.Process(holder.pid).kill()
    async with asyncio.timeout(60):
        while RunLock(store).holder() == holder:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)


async def execute(session, name, *arguments):
    params = types.ExecuteCommandParams(name, list(arguments))
    async with asyncio.timeout(60):
        return await session.client.workspace_execute_command_async(params)


def steps_of(store):
    """The steps that each run of a repository told, oldest run first."""
    runs = reversed(RunStore(store).all())
    return [[it["step"] for it in run.read_events() if it["kind"] == "step"] for run in runs]


async def test_two_repositories_are_learnt_by_themselves_and_switched(home, tmp_path):
    (first, nouns), (second, other_nouns) = (
        project(tmp_path / name, seed) for name, seed in (("first", 1), ("second", 2))
    )
    one, two = (RepositoryStore.of(StorePaths(home), made.root) for made in (first, second))
    async with editor(home, first.root, options=OPTIONS) as session:
        await session.ready()
        # New code is saved, and training begins by itself; killed midway, it is taken up again.
        uri = await save(session, first, nouns[0])
        assert await answered_by(session, uri) is None
        await killed_midway(session, one)
        await execute(session, "tenon.startTraining", uri)  # it would by itself, a minute later
        learnt_first = await learnt(session, first, one)
        killed, resumed, *_ = steps_of(one)
        assert 0 < killed[-1] < resumed[0]
        # What won serves, without anything done for it.
        await session.until(lambda status: status.adapter == learnt_first, 30)
        assert await answered_by(session, uri) == learnt_first
        shown = {status.trainer.state for status in session.statuses if status.trainer}
        assert {"training", "judging"} <= shown

        # Another repository is opened: it is learnt, too, and has an adapter of its own.
        folder = types.WorkspaceFolder(second.root.as_uri(), second.root.name)
        change = types.WorkspaceFoldersChangeEvent(added=[folder], removed=[])
        session.client.workspace_did_change_workspace_folders(
            types.DidChangeWorkspaceFoldersParams(change)
        )
        other = await save(session, second, other_nouns[0])
        assert await answered_by(session, other) is None
        learnt_second = await learnt(session, second, two)
        assert learnt_second != learnt_first
        await session.until(lambda status: status.adapter == learnt_second, 30)
        for place, adapter in ((uri, learnt_first), (other, learnt_second), (uri, learnt_first)):
            assert await answered_by(session, place) == adapter

        # By command: the base, and back.
        await execute(session, "tenon.activateAdapter", "", uri)
        assert await answered_by(session, uri) is None
        assert await execute(session, "tenon.rollbackAdapter", uri) == learnt_first
        assert await answered_by(session, uri) == learnt_first
        assert await answered_by(session, other) == learnt_second
