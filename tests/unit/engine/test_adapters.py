"""Adapters on their shelf: who may leave memory and when, over a real model."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llama_cpp
import numpy as np
import pytest

from lsp_server.engine.adapters import AdapterShelf
from lsp_server.engine.llama import Adapter, Backend, Context, Model
from lsp_server.errors import EngineError, EngineRequestError
from tests.loras import write_lora, write_tiny_llama
from tests.tiny_llama import write_llama

IDS = [20, 30, 40, 50]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A base, and three adapters of one size over it."""
    folder = tmp_path_factory.mktemp("adapters")
    base = write_llama(folder / "base.gguf")
    loras = (
        write_lora(folder / f"{seed}.gguf", base, seed=seed, row_ids=(), strength=0.3, exact=True)
        for seed in (1, 2, 3)
    )
    return (base, *loras)


@pytest.fixture
def model(files: tuple[Path, ...]) -> Iterator[Model]:
    loaded = Model.load(Backend(logging.getLogger("test")), files[0])
    yield loaded
    loaded.close()


class Shelf(AdapterShelf):
    """Remembers whom it freed; ``room`` is for so many adapters."""

    def __init__(self, model: Model, files: tuple[Path, ...], room: float = 10) -> None:
        self.freed: list[str] = []
        self.files = files
        super().__init__(model, self._freed, capacity=0)
        self.put("a")
        self._capacity = int(room * self.state.size)

    def _freed(self, loaded) -> None:
        self.freed.append(loaded.name)
        loaded.adapter.close()

    def put(self, name: str, file: int = 1, *, replace: bool = False) -> None:
        self.load(name, self.files[file], 1.0, replace=replace)

    @property
    def names(self) -> list[str]:
        return [entry.name for entry in self.all()]


def logits(model: Model, *adapters: tuple[Adapter, float]) -> np.ndarray:
    """Of a context that never had another adapter."""
    context = Context(model, tokens=64, sequences=1, chunk=8, threads=1)
    context.use_adapters(adapters)
    try:
        context.decode(IDS, position=0, sequence=0)
        return context.logits().copy()
    finally:
        context.close()


def test_the_least_recently_used_makes_room(model: Model, files: tuple[Path, ...]):
    shelf = Shelf(model, files, room=2)
    shelf.put("b")
    used = shelf.pin("a")
    assert used is not None
    shelf.unpin(used)
    shelf.put("c")
    assert (shelf.names, shelf.freed) == (["a", "c"], ["b"])
    assert shelf.pin("b") is None
    assert shelf.state.size == 2 * used.size
    assert (shelf.state.adapters, shelf.state.evicted) == (2, 1)
    shelf.close()


def test_one_in_use_never_makes_room_until_its_request_ends(model: Model, files: tuple[Path, ...]):
    shelf = Shelf(model, files, room=1)
    used = shelf.pin("a")
    assert used is not None
    shelf.put("b")
    assert (shelf.names, shelf.freed, shelf.uses(used)) == (["a", "b"], [], 1)
    shelf.unpin(used)
    assert (shelf.names, shelf.freed, shelf.uses(used)) == (["b"], ["a"], 0)
    shelf.close()


def test_the_newest_stays_however_large_it_is(model: Model, files: tuple[Path, ...]):
    shelf = Shelf(model, files, room=0.5)
    assert shelf.names == ["a"]
    shelf.put("b")
    assert (shelf.names, shelf.freed) == (["b"], ["a"])
    shelf.close()


@pytest.mark.parametrize("how", ["unload", "replace"])
def test_one_that_is_gone_is_freed_with_its_last_request(
    model: Model, files: tuple[Path, ...], how: str
):
    shelf = Shelf(model, files)
    first, second = shelf.pin("a"), shelf.pin("a")
    assert first is second is not None
    before = logits(model, (first.adapter, 1.0))
    if how == "unload":
        shelf.unload("a")
    else:
        shelf.put("a", 2, replace=True)
    shelf.unpin(first)
    assert shelf.freed == []
    assert np.array_equal(logits(model, (first.adapter, 1.0)), before)
    assert shelf.state.size == first.size * (1 if how == "unload" else 2)
    shelf.unpin(second)
    assert shelf.freed == ["a"]
    shelf.close()


def test_a_loaded_adapter_no_longer_needs_its_file(
    model: Model, files: tuple[Path, ...], tmp_path: Path
):
    path = tmp_path / "moving.gguf"
    path.write_bytes(files[1].read_bytes())
    adapter = Adapter(model, path)
    before = logits(model, (adapter, 1.0))
    path.write_bytes(files[2].read_bytes())
    assert np.array_equal(logits(model, (adapter, 1.0)), before)
    path.unlink()
    assert np.array_equal(logits(model, (adapter, 1.0)), before)
    adapter.close()


def test_a_refused_file_leaves_what_was_loaded(
    model: Model, files: tuple[Path, ...], tmp_path: Path
):
    shelf = Shelf(model, files, room=1)
    for content in (b"", files[1].read_bytes()[:-100]):
        (tmp_path / "bad.gguf").write_bytes(content)
        with pytest.raises(EngineRequestError) as caught:
            shelf.load("a", tmp_path / "bad.gguf", 1.0, replace=True)
        assert caught.value.status == 422
    wider = write_tiny_llama(tmp_path / "base.gguf", width=128)
    other = write_lora(tmp_path / "wide.gguf", wider, row_ids=())
    with pytest.raises(EngineRequestError, match="another base model") as caught:
        shelf.load("b", other, 1.0, replace=False)
    assert caught.value.status == 422
    assert (shelf.names, shelf.freed) == (["a"], [])
    shelf.close()


def test_of_many_that_load_one_name_one_does(model: Model, files: tuple[Path, ...]):
    shelf = Shelf(model, files)

    def load(_number: int) -> bool:
        try:
            shelf.put("b", 2)
        except EngineRequestError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(load, range(8))) == 1
    assert (shelf.names, shelf.freed) == (["a", "b"], [])
    shelf.close()


def test_a_context_computes_what_a_fresh_one_does_after_any_switch(
    model: Model, files: tuple[Path, ...]
):
    one, two, three = (Adapter(model, file) for file in files[1:])
    uses = [
        ((one, 1.0),),
        ((two, 1.0),),
        (),
        ((one, 0.5),),
        ((one, 1.0), (two, 1.0)),
        ((one, 0.0),),
    ]
    expected = [logits(model, *use) for use in uses]
    assert np.array_equal(expected[2], expected[5])  # nothing, and nothing of something
    assert len({entry.tobytes() for entry in expected}) == len(uses) - 1
    context = Context(model, tokens=64, sequences=1, chunk=8, threads=1)
    for number in [0, 1, 0, 2, 3, 4, 1, 5, 4, 0]:
        # Switched to and left without a decode: nothing of it may stay.
        context.use_adapters(((three, 1.0),))
        context.use_adapters(uses[number - 1])
        context.use_adapters(uses[number])
        context.truncate(0, 0)
        context.decode(IDS, position=0, sequence=0)
        assert np.array_equal(context.logits(), expected[number])
    # A new one may lie where a freed one lay.
    for file in (files[2], files[1]) * 3:
        context.drop_adapter(three)
        three.close()
        three = Adapter(model, file)
        context.use_adapters(((three, 1.0),))
        context.truncate(0, 0)
        context.decode(IDS, position=0, sequence=0)
        assert np.array_equal(context.logits(), expected[0 if file == files[1] else 1])
    context.close()
    for adapter in (one, two, three):
        adapter.close()


def test_only_a_decode_that_follows_a_switch_waits_for_a_load(
    model: Model, files: tuple[Path, ...], monkeypatch: pytest.MonkeyPatch
):
    """llama.cpp keeps a model's adapters in a set that has no lock."""
    loading, go_on = threading.Event(), threading.Event()
    initialise = llama_cpp.llama_adapter_lora_init

    def slowly(*arguments):
        loading.set()
        assert go_on.wait(20)
        return initialise(*arguments)

    adapter = Adapter(model, files[1])
    context = Context(model, tokens=64, sequences=1, chunk=8, threads=1)
    context.decode(IDS, position=0, sequence=0)
    monkeypatch.setattr(llama_cpp, "llama_adapter_lora_init", slowly)
    with ThreadPoolExecutor(2) as pool:
        load = pool.submit(Adapter, model, files[2])
        assert loading.wait(20)
        context.decode(IDS, position=4, sequence=0)  # goes on beside the load
        context.use_adapters(((adapter, 1.0),))
        decode = pool.submit(context.decode, IDS, position=8, sequence=0)
        freed = pool.submit(logits, model)  # a new context reads the set, too
        with pytest.raises(TimeoutError):
            decode.result(0.2)
        assert not freed.done()
        go_on.set()
        decode.result(20)
        freed.result(20)
        load.result(20).close()
    context.close()
    adapter.close()


def test_a_load_that_comes_too_late_is_refused(files: tuple[Path, ...]):
    closed = Model.load(Backend(logging.getLogger("test")), files[0])
    closed.close()
    with pytest.raises(EngineError, match="closed"):
        Adapter(closed, files[1])
