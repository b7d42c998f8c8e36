"""What was learnt serves as soon as it is loaded, and a keystroke never waits for it."""

import asyncio
import dataclasses

import msgspec
import pytest

from lsp_server import adapter_loading
from lsp_server.adapter_loading import AdapterLoader, LoadedAdapter
from lsp_server.errors import EngineRequestError, EngineUnavailableError
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import AdapterFacts, GateSummary
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.fakes import QWEN_INFO, FakeEngine
from tests.git_repositories import repository

INFO = dataclasses.replace(QWEN_INFO, sha256="b" * 64)
FACTS = AdapterFacts(
    repository="app",
    commit=None,
    base=INFO.sha256,
    base_name=INFO.model,
    fim_format=INFO.fim.name,
    recipe={},
    data_sha256="d" * 64,
    rank=8,
    scale=0.75,
    verdict="promoted",
    gate=GateSummary(gain=0.1, lower=0.05, spans=200, reason="better"),
)


class Engine(FakeEngine):
    """Remembers what it was to have; ``loading`` holds it up for as long as it is unset."""

    def __init__(self, info=INFO, refusal=None):
        super().__init__(info=info)
        self.refusal = refusal
        self.had = []
        self.loading = asyncio.Event()
        self.loading.set()

    async def have_adapter(self, name, path, scale):
        await self.loading.wait()
        if self.refusal is not None:
            raise self.refusal
        assert path.is_file()
        self.had.append((name, scale))


class Home:
    """A store with one repository and a loader that looks at every question."""

    def __init__(self, folder):
        self.root = str(folder / "app")
        self.changes, self.troubles = 0, []
        paths = StorePaths(folder / "home")
        self.store = RepositoryStore.of(paths, folder / "app")
        self.registry = AdapterRegistry(self.store)
        self.loader = AdapterLoader(paths, self._changed, self.troubles.append)
        self._candidate = folder / "candidate"

    def _changed(self):
        self.changes += 1

    def promote(self, content=b"GGUF one", facts=FACTS, scale=0.75):
        self._candidate.mkdir()
        (self._candidate / "adapter.gguf").write_bytes(content)
        adapter = self.registry.publish(self._candidate, facts)
        self.registry.activate(adapter.id, scale)
        return adapter

    def now(self, engine, root=None):
        """The adapter that a query gets."""
        loaded = self.loader.adapter_of(root or self.root, engine)
        return loaded.name if loaded else None

    async def ask(self, engine):
        """What a query gets once the look that it began has ended."""
        self.loader.adapter_of(self.root, engine)
        await asyncio.wait([self.loader._repositories[self.root].look])
        return self.now(engine)


@pytest.fixture
async def home(tmp_path, monkeypatch):
    monkeypatch.setattr(adapter_loading, "LOOK_SECONDS", 0.0)
    made = Home(tmp_path)
    yield made
    await made.loader.aclose()


async def test_the_active_adapter_is_loaded_at_its_scale_and_once(home):
    engine, adapter = Engine(), home.promote()
    for _ in range(3):
        assert await home.ask(engine) == adapter.id
    assert engine.had == [(adapter.id, 0.75)]
    assert (home.loader.serving, home.changes, home.troubles) == (adapter.id, 1, [])


async def test_what_the_gate_measured_for_an_adapter_holds_while_it_serves(home):
    engine = Engine()
    adapter = home.promote(facts=msgspec.structs.replace(FACTS, least_confidence=-1.5))
    await home.ask(engine)
    assert home.loader.adapter_of(home.root, engine) == LoadedAdapter(adapter.id, 0.75, -1.5)
    home.registry.activate(adapter.id, 0.5)
    await home.ask(engine)
    assert home.loader.adapter_of(home.root, engine) == LoadedAdapter(adapter.id, 0.5, -1.5)
    home.registry.deactivate()
    await home.ask(engine)
    assert home.loader.adapter_of(home.root, engine) is None


async def test_a_repository_that_nothing_was_learnt_of_has_the_base(home):
    engine = Engine()
    assert await home.ask(engine) is None
    assert (engine.had, home.changes, home.troubles) == ([], 0, [])
    assert not home.store.folder.exists()


async def test_a_query_waits_neither_for_a_look_nor_for_a_load(home):
    engine, old = Engine(), home.promote()
    engine.loading.clear()
    assert home.now(engine) is None
    await asyncio.sleep(0.05)
    assert home.now(engine) is None
    engine.loading.set()
    assert await home.ask(engine) == old.id
    engine.loading.clear()
    new = home.promote(b"GGUF two")
    home.loader.adapter_of(home.root, engine)
    await asyncio.sleep(0.05)
    assert home.now(engine) == old.id  # it goes on until then
    engine.loading.set()
    assert await home.ask(engine) == new.id


async def test_what_others_choose_is_followed(home):
    engine, old = Engine(), home.promote()
    new = home.promote(b"GGUF two")
    assert await home.ask(engine) == new.id
    home.registry.activate(old.id, 0.5)
    assert await home.ask(engine) == old.id
    home.registry.activate(old.id, 1.0)
    assert await home.ask(engine) == old.id
    home.registry.deactivate()
    assert await home.ask(engine) is None
    assert engine.had == [(new.id, 0.75), (old.id, 0.5), (old.id, 1.0)]


async def test_between_two_looks_nothing_is_read(home, monkeypatch):
    engine = Engine()
    monkeypatch.setattr(adapter_loading, "LOOK_SECONDS", 3600.0)
    home.loader.open(home.root)
    await home.loader.follow(engine)
    home.promote()
    home.loader.adapter_of(home.root, engine)
    await asyncio.sleep(0.05)
    assert engine.had == []


async def test_another_engine_is_given_it_anew(home):
    first, second, adapter = Engine(), Engine(), home.promote()
    await home.ask(first)
    assert home.loader.adapter_of(home.root, second) is None
    assert await home.ask(second) == adapter.id
    assert first.had == second.had == [(adapter.id, 0.75)]


async def test_an_engine_that_forgot_it_is_given_it_again(home):
    engine, adapter = Engine(), home.promote()
    await home.ask(engine)
    home.loader.lost(home.root, engine)
    assert home.loader.serving is None
    assert await home.ask(engine) == adapter.id
    assert engine.had == [(adapter.id, 0.75)] * 2


async def test_over_another_model_the_base_alone_serves_and_that_is_told_once(home):
    engine, adapter = Engine(), home.promote()
    await home.ask(engine)
    engine.served = dataclasses.replace(INFO, model="other", sha256="c" * 64)
    for _ in range(3):
        assert await home.ask(engine) is None
    [message] = home.troubles
    assert home.root in message
    assert f"tenon models use {INFO.model}" in message
    assert home.loader.trouble == message
    engine.served = INFO
    assert await home.ask(engine) == adapter.id
    assert home.loader.trouble == ""


@pytest.mark.parametrize("sha256", ["", "c" * 64])
async def test_somebody_elses_engine_is_not_given_one(home, sha256):
    home.promote()
    engine = Engine(dataclasses.replace(INFO, sha256=sha256))
    assert await home.ask(engine) is None
    assert len(home.troubles) == 1
    assert engine.had == []


@pytest.mark.parametrize("damage", [b"GGUF", None])
async def test_a_damaged_file_is_not_served_and_a_new_one_is(home, damage):
    engine, adapter = Engine(), home.promote()
    if damage is None:
        adapter.path.unlink()
    else:
        adapter.path.write_bytes(damage)
    for _ in range(2):
        assert await home.ask(engine) is None
    [message] = home.troubles
    assert "train again" in message
    new = home.promote(b"GGUF two")
    assert await home.ask(engine) == new.id
    assert len(home.troubles) == 1


async def test_an_active_json_that_cannot_be_read_is_told(home):
    engine, adapter = Engine(), home.promote()
    home.store.active_json.write_bytes(b"{")
    assert await home.ask(engine) is None
    [message] = home.troubles
    assert "active.json" in message
    home.registry.activate(adapter.id, 1.0)
    assert await home.ask(engine) == adapter.id


async def test_an_adapter_that_the_engine_refuses_is_not_asked_for_again(home):
    home.promote()
    engine = Engine(refusal=EngineRequestError("it is damaged", status=422))
    for _ in range(2):
        assert await home.ask(engine) is None
    [message] = home.troubles
    assert "it is damaged" in message


@pytest.mark.parametrize(
    "refusal", [EngineRequestError("no memory", status=500), OSError("no such device")]
)
async def test_what_may_pass_is_told_once_and_tried_again(home, refusal):
    adapter = home.promote()
    engine = Engine(refusal=refusal)
    for _ in range(2):
        assert await home.ask(engine) is None
    [message] = home.troubles
    assert str(refusal) in message
    engine.refusal = None
    assert await home.ask(engine) == adapter.id


async def test_a_folder_that_is_closed_is_forgotten_and_may_be_opened_again(home):
    engine, adapter = Engine(), home.promote()
    assert await home.ask(engine) == adapter.id
    changes = home.changes
    await home.loader.close(home.root)
    await home.loader.close(home.root)
    assert (home.loader.serving, home.changes) == (None, changes + 1)
    await home.loader.follow(engine)
    assert len(engine.had) == 1
    assert await home.ask(engine) == adapter.id


async def test_closing_a_folder_ends_a_look_at_it(home):
    engine = Engine()
    home.promote()
    engine.loading.clear()
    home.loader.adapter_of(home.root, engine)
    look = home.loader._repositories[home.root].look
    await asyncio.sleep(0.05)
    await home.loader.close(home.root)
    assert look.cancelled()


async def test_an_engine_on_its_way_out_is_no_trouble_and_is_tried_again(home):
    adapter = home.promote()
    engine = Engine(refusal=EngineUnavailableError("it ended"))
    assert await home.ask(engine) is None
    engine.refusal = None
    assert await home.ask(engine) == adapter.id
    assert home.troubles == []


async def test_a_fault_of_our_own_is_told_once_and_serves_the_base(home, caplog):
    home.promote()
    engine = Engine(refusal=ValueError("odd"))
    for _ in range(2):
        assert await home.ask(engine) is None
    [message] = home.troubles
    assert "odd" in message
    assert caplog.text.count("Traceback") == 1
    engine.refusal = None
    home.registry.deactivate()
    before = home.changes
    assert await home.ask(engine) is None
    assert (home.loader.trouble, home.changes) == ("", before + 1)


async def test_folders_that_are_open_are_loaded_before_a_query(home, tmp_path):
    engine, adapter = Engine(), home.promote()
    await home.loader.follow(engine)
    assert engine.had == []  # none is open
    home.loader.open(home.root)
    home.loader.open(str(tmp_path / "other"))
    await home.loader.follow(engine)
    assert home.loader.serving == adapter.id
    assert home.now(engine, str(tmp_path / "other")) is None
    assert home.loader.serving is None


async def test_every_spelling_of_a_folder_is_the_repository(home, tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "app")
    adapter, home.root = home.promote(), str(tmp_path / "link")
    assert await home.ask(Engine()) == adapter.id


async def test_a_rejected_candidate_never_serves(home):
    engine, adapter = Engine(), home.promote()
    (home._candidate).mkdir()
    (home._candidate / "adapter.gguf").write_bytes(b"GGUF worse")
    home.registry.publish(home._candidate, msgspec.structs.replace(FACTS, verdict="rejected"))
    assert await home.ask(engine) == adapter.id


async def test_a_worktree_is_served_by_its_main_checkout_until_it_has_its_own(home, tmp_path):
    app = repository(tmp_path / "app")
    app.commit({"a.py": "a = 1\n"})
    app.git("worktree", "add", "--quiet", str(tmp_path / "w"), "-b", "other")
    engine, adapter = Engine(), home.promote()
    home.root = str(tmp_path / "w")
    assert await home.ask(engine) == adapter.id
    own = AdapterRegistry(RepositoryStore.of(StorePaths(tmp_path / "home"), tmp_path / "w"))
    own.deactivate()
    assert await home.ask(engine) is None
    own.forget()
    assert await home.ask(engine) == adapter.id
    assert home.troubles == []


async def test_none_is_a_choice_that_any_engine_can_serve(home):
    engine, adapter = Engine(dataclasses.replace(INFO, sha256="")), home.promote()
    home.registry.deactivate()
    assert await home.ask(engine) is None
    assert (home.troubles, adapter.id in dict(engine.had)) == ([], False)
