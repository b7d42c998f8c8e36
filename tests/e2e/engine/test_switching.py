"""Switching between adapters in a running engine, over the real starter."""

import asyncio
import itertools
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from lsp_server.adapter_loading import AdapterLoader
from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import EngineOptions, RunningEngine, find, find_or_start
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import AdapterFacts, GateSummary, base_identity
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.e2e.engine.conftest import end_engine
from tests.loras import write_lora
from tests.starter import install, starter_file

CODE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"
OTHER = '"""Paths."""\n\nimport os\n\n\ndef join(first, second):\n    return'
NOISE = 0.3
"""In a log-probability. llama.cpp computes a token alone by other kernels than among several: under
these adapters up to 0.1 apart on a CPU with AVX-512, 0.05 on another. One of 24 tokens read under
the other adapter makes 1.4 at the least, and another text."""
OPTIONS = EngineOptions(context=1024)
ENGINE = [sys.executable, "-P", "-m", "lsp_server", "engine", "--context", "1024"]


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("loras")
    return tuple(
        write_lora(folder / f"{seed}.gguf", starter_file(), seed=seed, strength=0.03, row_ids=())
        for seed in (1, 2)
    )


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    paths = StorePaths(tmp_path_factory.mktemp("switching") / "home")
    install(ModelStore(paths))
    yield paths
    end_engine(paths)


@pytest.fixture
async def running(shared_home: StorePaths) -> RunningEngine:
    return await find_or_start(shared_home, OPTIONS)


@pytest.fixture(autouse=True)
async def unloaded(running: RunningEngine) -> AsyncIterator[None]:
    """Every test begins and ends without adapters."""
    yield
    client = running.connect()
    for name in (await client.ask_info()).adapters:
        await client.unload_adapter(name)
    await client.aclose()


async def answer(http: httpx.AsyncClient, model: str, prompt: str, key: str = "") -> dict:
    """Greedy text of 12 tokens, its log-probabilities, and how many tokens were cached."""
    body = {
        "model": model, "prompt": prompt, "max_tokens": 12, "temperature": 0, "logprobs": 1,
        "prompt_cache_key": key,
    }  # fmt: skip
    response = await http.post("/v1/completions", json=body)
    assert response.status_code == 200, response.text
    choice = response.json()["choices"][0]
    timings = response.json()["timings"]
    return {
        "text": choice["text"],
        "logprobs": choice["logprobs"]["token_logprobs"],
        "cached": timings["cache_n"],
        "computed": timings["prompt_n"],
    }


@asynccontextmanager
async def connected(running: RunningEngine) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {running.token}"}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=60) as client:
        yield client


def alike(one: dict, other: dict) -> bool:
    return one["text"] == other["text"] and one["logprobs"] == pytest.approx(
        other["logprobs"], abs=NOISE
    )


async def test_after_any_switch_it_answers_as_a_fresh_engine_with_that_adapter_alone(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path], tmp_path: Path
) -> None:
    base = (await engine.info()).model
    fresh: dict[tuple[str, str], dict] = {}
    for name, path in (("one", loras[0]), ("two", loras[1])):
        paths = StorePaths(tmp_path / name)
        install(ModelStore(paths))
        try:
            async with connected(await find_or_start(paths, OPTIONS)) as alone:
                for prompt in (CODE, OTHER):
                    fresh[base, prompt] = await answer(alone, base, prompt, f"base{len(prompt)}")
                body = {"lora_name": name, "lora_path": str(path), "scale": 1.0}
                assert (await alone.post("/v1/load_lora_adapter", json=body)).status_code == 200
                for prompt in (CODE, OTHER):
                    fresh[name, prompt] = await answer(alone, name, prompt, f"{len(prompt)}")
        finally:
            end_engine(paths)
    for prompt in (CODE, OTHER):
        texts = [fresh[name, prompt]["text"] for name in ("one", "two", base)]
        assert len(set(texts)) == 3

    for name, path in zip(("one", "two"), loras, strict=True):
        await engine.load_adapter(name, path)
    # Every order of two, over the same files, and all without a file.
    orders = [*itertools.permutations(("one", "two", base), 2)]
    for name, key in itertools.product(itertools.chain(*orders), ("shared.py", "")):
        for prompt in (CODE, OTHER):
            assert alike(await answer(http, name, prompt, key), fresh[name, prompt])


async def test_a_tab_that_one_comes_back_to_is_warm(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path]
) -> None:
    for name, path in zip(("one", "two"), loras, strict=True):
        await engine.load_adapter(name, path)
    tabs = [("one", CODE, "a.py"), ("two", OTHER, "b.py"), ("one", OTHER, "b.py")]
    first = [await answer(http, *tab) for tab in tabs]
    assert [entry["cached"] for entry in first] == [0, 0, 0]  # nothing of another adapter's
    for tab, cold in zip(tabs, first, strict=True):
        warm = await answer(http, *tab)
        assert (warm["cached"], warm["computed"]) == (cold["computed"] - 1, 1)
        assert alike(warm, cold)


async def test_another_scale_is_another_adapter(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path]
) -> None:
    await engine.load_adapter("one", loras[0])
    whole = await answer(http, "one", CODE, "scaled.py")
    await engine.have_adapter("one", loras[0], 0.5)
    half = await answer(http, "one", CODE, "scaled.py")
    assert half["cached"] == 0
    assert not alike(half, whole)
    await engine.have_adapter("one", loras[0], 1.0)
    again = await answer(http, "one", CODE, "scaled.py")
    assert again["cached"] == 0
    assert alike(again, whole)


@pytest.mark.parametrize("how", ["replaced", "unloaded", "rewritten"])
async def test_an_answer_ends_with_the_adapter_that_it_began_with(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path], tmp_path: Path, how: str
) -> None:
    path = tmp_path / "mine.gguf"
    path.write_bytes(loras[0].read_bytes())
    await engine.load_adapter("mine", path)

    def request(key: str) -> GenerationRequest:
        return GenerationRequest(
            Prompt((Text(CODE),)), 32, adapter="mine", heal=False, cache_key=key
        )

    expected = "".join([chunk.text async for chunk in engine.generate(request("before.py"))])
    text, told = "", False
    async for chunk in engine.generate(request("while.py")):
        text += chunk.text
        if not told:
            told = True
            path.write_bytes(loras[1].read_bytes())
            if how == "unloaded":
                await engine.unload_adapter("mine")
            elif how == "replaced":
                await engine.load_adapter("mine", path, replace=True)
                [listed] = (await http.get("/v1/models")).json()["data"][1:]
                assert listed["meta"]["uses"] == 0  # the new one's, not the old one's
    assert text == expected
    if how == "unloaded":
        await engine.load_adapter("mine", path)
    after = "".join([chunk.text async for chunk in engine.generate(request("while.py"))])
    assert (after == expected) is (how == "rewritten")


async def test_answers_go_on_while_adapters_are_loaded_and_exchanged(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path]
) -> None:
    for name, path in zip(("one", "two"), loras, strict=True):
        await engine.load_adapter(name, path)
    expected = {name: await answer(http, name, CODE, f"{name}.py") for name in ("one", "two")}
    done = asyncio.Event()

    async def use(name: str) -> int:
        count = 0
        while not done.is_set():
            assert alike(await answer(http, name, CODE, f"{name}.py"), expected[name])
            count += 1
        return count

    users = [asyncio.create_task(use(name)) for name in ("one", "two")]
    for turn in range(8):
        await engine.load_adapter("third", loras[turn % 2], scale=0.5, replace=True)
        await answer(http, "third", CODE, "third.py")
    done.set()
    assert min(await asyncio.gather(*users)) > 0


async def test_what_cannot_be_an_adapter_is_refused_and_the_engine_lives(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path], tmp_path: Path
) -> None:
    await engine.load_adapter("one", loras[0])
    before = await answer(http, "one", CODE, "lives.py")
    whole = loras[1].read_bytes()
    bad = tmp_path / "bad.gguf"
    contents = [whole[:length] for length in (0, 3, 24, 200, 5000, 40_000, len(whole) // 2)]
    contents += [whole[:-1], whole[:-5000], b"GGUF" + bytes(2000), b"\xff" * 4096]
    contents += [
        whole.replace(b"llama", b"qwen2", 1),
        whole.replace(b"adapter", b"elephant"[:7], 1),
    ]
    for content in contents:
        bad.write_bytes(content)
        for name in ("bad", "one"):
            with pytest.raises(EngineRequestError) as caught:
                await engine.load_adapter(name, bad, replace=True)
            assert (caught.value.status, caught.value.param) == (422, "lora_path")
            assert "cannot be loaded" in str(caught.value)
    with pytest.raises(EngineRequestError) as caught:  # a model is none
        await engine.load_adapter("bad", starter_file())
    assert caught.value.status == 422
    with pytest.raises(EngineRequestError) as caught:
        await engine.load_adapter("bad", loras[1], scale=1e9)
    assert (caught.value.status, caught.value.param) == (400, "scale")
    assert (await engine.ask_info()).adapters == ("one",)
    after = await answer(http, "one", CODE, "lives.py")
    assert after["cached"] > 0
    assert alike(after, before)


async def test_what_is_loaded_is_told(
    http: httpx.AsyncClient, engine: HttpEngine, loras: tuple[Path, Path]
) -> None:
    await engine.load_adapter("one", loras[0], scale=0.5)
    [listed] = (await http.get("/v1/models")).json()["data"][1:]
    size = listed["meta"]["size"]
    assert 0.9 * loras[0].stat().st_size < size < loras[0].stat().st_size
    assert listed["meta"] == {"scale": 0.5, "size": size, "uses": 0}
    numbers = (await http.get("/metrics")).text
    assert "tenon_adapters 1.0" in numbers
    [held] = re.findall(r"^tenon_adapter_bytes (.*)$", numbers, re.MULTILINE)
    assert float(held) == size
    assert "tenon_adapter_load_seconds_count" in numbers


@pytest.fixture
def cramped(
    shared_home: StorePaths, loras: tuple[Path, Path], tmp_path: Path
) -> Iterator[StorePaths]:
    """A home whose engine has room for one adapter."""
    paths = StorePaths(tmp_path / "cramped")
    install(ModelStore(paths))
    process = subprocess.Popen(
        [*ENGINE, "--launch", "test", "--adapter-memory", "6"],
        env={**os.environ, "TENON_HOME": str(paths.root)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not ((running := find(paths)) and running.pid == process.pid):
        assert process.poll() is None
    yield paths
    end_engine(paths)
    process.wait(20)


async def test_an_adapter_that_had_to_make_room_is_loaded_again_by_who_asks_for_it(
    cramped: StorePaths, loras: tuple[Path, Path], tmp_path: Path
) -> None:
    running = await find_or_start(cramped, OPTIONS)
    engine = running.connect()
    info = await engine.info()
    base = base_identity(ModelStore(cramped), info.model, info.sha256)
    loader = AdapterLoader(cramped, lambda: None, pytest.fail)
    promoted = {}
    for number, lora in enumerate(loras):
        root = tmp_path / f"repository{number}"
        root.mkdir()
        candidate = tmp_path / f"candidate{number}"
        candidate.mkdir()
        (candidate / "adapter.gguf").write_bytes(lora.read_bytes())
        registry = AdapterRegistry(RepositoryStore.of(cramped, root))
        promoted[str(root)] = registry.publish(candidate, facts(base, info.model)).id
        registry.activate(promoted[str(root)], 1.0)
        loader.open(str(root))

    def serves(root: str) -> str | None:
        loaded = loader.adapter_of(root, engine)
        return loaded.name if loaded else None

    async def ask(root: str) -> str:
        name, prompt = serves(root), Prompt((Text(CODE),))
        request = GenerationRequest(prompt, 8, adapter=name, heal=False, cache_key=f"{root}.py")
        return "".join([chunk.text async for chunk in engine.generate(request)])

    first, second = promoted
    said: dict[str, set[str]] = {first: set(), second: set()}
    await loader.follow(engine)
    for root in (first, second, first, second):
        # Whichever was loaded last is there, and the other one is lost when it is asked for.
        assert len((await engine.ask_info()).adapters) == 1
        if serves(root) not in (await engine.ask_info()).adapters:
            with pytest.raises(EngineRequestError) as caught:
                await ask(root)
            assert (caught.value.status, caught.value.param) == (404, "model")
            loader.lost(root, engine)
            assert serves(root) is None  # the base answers meanwhile
            await loader.follow(engine)
        assert serves(root) == promoted[root]
        said[root].add(await ask(root))
    assert [len(texts) for texts in said.values()] == [1, 1]
    assert said[first] != said[second]
    await loader.aclose()
    await engine.aclose()


def facts(base: str, base_name: str) -> AdapterFacts:
    return AdapterFacts(
        repository="app", commit=None, base=base, base_name=base_name, fim_format="starcoder",
        recipe={}, data_sha256="d" * 64, rank=8, scale=1.0, verdict="promoted",
        gate=GateSummary(gain=0.1, lower=0.05, spans=200, reason="better"),
    )  # fmt: skip
