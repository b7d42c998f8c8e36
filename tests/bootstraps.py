"""A bootstrap in a world of fakes: its engine, its store and its editor."""

import contextlib
import threading
from types import SimpleNamespace
from typing import ClassVar

from lsp_server import bootstrap, model_choice
from lsp_server.bootstrap import Bootstrap
from lsp_server.completion.engine import EngineInfo
from lsp_server.editor import Progress
from lsp_server.engine.supervisor import EngineState, EngineStatus
from lsp_server.errors import EngineError
from lsp_server.prompt.formats import PLAIN
from lsp_server.session.session import Session
from lsp_server.store.catalogue import STARTER, base_id, load_catalogue
from lsp_server.store.paths import StorePaths

BETTER = "qwen2.5-coder-0.5b"


class FakeSupervisor:
    made: ClassVar[list] = []

    refused: ClassVar[EngineError | None] = None

    def __init__(self, options, paths, on_change, *, renew=False):
        self.options, self.on_change, self.renew = options, on_change, renew
        self.status = EngineStatus(EngineState.STOPPED)
        self.switched = []
        self.closed = False
        self.made.append(self)

    def engine(self):
        info = EngineInfo(STARTER, PLAIN, 2048, 1000.0, 100.0, size=98_000_000)
        self.status = EngineStatus(EngineState.READY, "", info, 1, "http://x")
        self.on_change(self.status)

    async def wait_ready(self, timeout):  # noqa: ASYNC109 - as the real one
        return None

    async def switch_model(self, name):
        if self.refused is not None:
            raise self.refused
        assert FakeStore.choice != name, "chosen before it was known to load"
        self.switched.append(name)

    async def aclose(self):
        self.closed = True


class FakeStore:
    names: ClassVar[list] = []
    choice = None

    def __init__(self, paths):
        pass

    def installed(self):
        return [load_catalogue()[name] for name in self.names]

    def find(self, name):
        if name not in self.names:
            return None
        entry = load_catalogue()[name]
        made_of = base_id(entry) if entry.base else None
        return SimpleNamespace(name=name, sha256=entry.sha256, base_id=made_of)

    def verify(self, model, *, held=False):
        return model

    def chosen(self):
        return FakeStore.choice

    def choose(self, name):
        FakeStore.choice = name


class FakeEditor:
    def __init__(self, answer=None):
        self.answer = answer
        self.asked = []
        self.shown = []
        self.cancelled = threading.Event()

    @contextlib.asynccontextmanager
    async def progress(self, title):
        self.shown.append(title)
        yield Progress(lambda done, total: None, self.cancelled)

    async def choose(self, message, actions):
        self.asked.append(message)
        return self.answer


def pretend(monkeypatch):
    """Make everything but the bootstrap itself a fake; returns the names of what it pulls."""
    names = []
    monkeypatch.setattr(FakeSupervisor, "made", [])
    monkeypatch.setattr(FakeStore, "names", [STARTER])
    monkeypatch.setattr(FakeStore, "choice", None)
    monkeypatch.setattr(bootstrap, "EngineSupervisor", FakeSupervisor)
    monkeypatch.setattr(bootstrap, "ModelStore", FakeStore)
    monkeypatch.setattr(
        model_choice, "pull", lambda store, entry, progress, cancel: names.append(entry.name)
    )
    monkeypatch.setattr(bootstrap, "recommendation", lambda store, info: load_catalogue()[BETTER])
    return names


async def run(tmp_path, editor=None, raw=None):
    session = Session(lambda _: None)
    session.configure(raw)
    starter = Bootstrap(session, editor or FakeEditor(), StorePaths(tmp_path))
    starter.start()
    await starter._task
    return session, starter
