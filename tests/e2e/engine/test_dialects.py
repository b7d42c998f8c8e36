"""The engine as other programs see it: OpenAI's, vLLM's and llama.cpp's dialects, for real."""

import asyncio
import json
import math
from itertools import accumulate
from pathlib import Path

import httpx
import pytest

from lsp_server.completion.confidence import placed
from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import RunningEngine
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.starter import PLAIN, plain_file

CODE = "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    return a"


async def complete(http: httpx.AsyncClient, **body: object) -> dict:
    response = await http.post("/v1/completions", json={"temperature": 0} | body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_completion_in_openais_words(http: httpx.AsyncClient) -> None:
    answer = await complete(http, prompt=CODE, max_tokens=4, stop="\n")
    choice = answer["choices"][0]
    assert choice["text"] == " - b"
    assert choice["finish_reason"] == "stop"
    assert answer["object"] == "text_completion"
    assert answer["model"] == PLAIN
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_streamed_and_whole_answers_agree(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    whole = await complete(http, prompt=CODE, max_tokens=12)
    request = GenerationRequest(Prompt((Text(CODE),)), 12, heal=False)
    chunks = [chunk async for chunk in engine.generate(request)]
    assert "".join(chunk.text for chunk in chunks) == whole["choices"][0]["text"]
    assert chunks[-1].finish_reason == "length"
    assert sum(len(chunk.scores) for chunk in chunks) == 12


async def test_one_line_ends_where_a_client_would_have_closed_it(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    whole = (await complete(http, prompt=CODE, max_tokens=12))["choices"][0]["text"]
    end = whole.index("\n") + 1
    request = GenerationRequest(Prompt((Text(CODE),)), 12, heal=False, one_line=True)
    chunks = [chunk async for chunk in engine.generate(request)]
    text = "".join(chunk.text for chunk in chunks)
    assert text[:end] == whole[:end]
    assert not text[end:].strip()  # what came with the newline in one token
    assert chunks[-1].finish_reason == "stop"
    assert sum(len(chunk.scores) for chunk in chunks) < 12


async def test_text_ids_and_mixed_prompts_mean_the_same(http: httpx.AsyncClient) -> None:
    ids = (await http.post("/tokenize", json={"content": CODE})).json()["tokens"]
    answers = [
        (await complete(http, prompt=prompt, max_tokens=6))["choices"][0]["text"]
        for prompt in (CODE, ids, [*ids[:5], (await text_of(http, ids[5:]))])
    ]
    assert len(set(answers)) == 1


async def text_of(http: httpx.AsyncClient, ids: list[int]) -> str:
    return (await http.post("/detokenize", json={"tokens": ids})).json()["content"]


async def test_control_tokens_in_user_text_stay_text(http: httpx.AsyncClient) -> None:
    for body in ({"content": "<|endoftext|>"}, {"content": "<|endoftext|>", "parse_special": True}):
        tokens = (await http.post("/tokenize", json=body)).json()["tokens"]
        assert (tokens == [0]) is ("parse_special" in body)
        assert await text_of(http, tokens) == "<|endoftext|>"


async def test_several_prompts_and_choices(http: httpx.AsyncClient) -> None:
    answer = await complete(
        http, prompt=["x = 1", "y = 2"], n=2, max_tokens=3, temperature=1, seed=5
    )
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    again = await complete(
        http, prompt=["x = 1", "y = 2"], n=2, max_tokens=3, temperature=1, seed=5
    )
    assert [c["text"] for c in answer["choices"]] == [c["text"] for c in again["choices"]]


async def test_scoring_gives_the_probability_of_every_prompt_token(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    answer = await complete(http, prompt=CODE, echo=True, logprobs=2, max_tokens=0)
    logprobs = answer["choices"][0]["logprobs"]
    assert answer["choices"][0]["text"] == CODE
    assert "".join(logprobs["tokens"]) == CODE
    assert logprobs["token_logprobs"][0] is None
    assert all(score <= 0 for score in logprobs["token_logprobs"][1:])
    assert logprobs["text_offset"][:2] == [0, len(logprobs["tokens"][0])]
    best = logprobs["top_logprobs"][-1]
    assert max(best.values()) >= logprobs["token_logprobs"][-1]
    # The score of a text does not depend on what was cached before it, nor on the chunking.
    ids = (await engine.tokenize([CODE * 8]))[0]
    first = await engine.score(ids)
    assert await engine.score(ids, priority=0) == pytest.approx(first, abs=2e-2)


async def test_an_answer_is_scored_with_its_prompt_from_the_cache(http: httpx.AsyncClient) -> None:
    code, answer = CODE * 3, " - b\n\n\ndef multiply(a, b):\n" * 9
    ids = (await http.post("/tokenize", json={"content": [code, answer]})).json()["tokens"]
    whole = await complete(http, prompt=ids[0] + ids[1], echo=True, logprobs=0, max_tokens=0)
    await complete(http, prompt=code, max_tokens=1, prompt_cache_key="scored")
    scored = await complete(http, prompt=code, answer=answer, logprobs=1, prompt_cache_key="scored")
    choice = scored["choices"][0]
    assert choice["text"] == "".join(choice["logprobs"]["tokens"]) == answer
    assert choice["logprobs"]["token_logprobs"] == pytest.approx(
        whole["choices"][0]["logprobs"]["token_logprobs"][len(ids[0]) :], abs=0.05
    )
    assert scored["timings"]["cache_n"] == len(ids[0]) - 1


async def test_a_healed_answer_is_scored_among_what_healing_chooses_from(
    engine: HttpEngine,
) -> None:
    before, answer = "def add(a, b):\n    retu", "rn a + b\n"
    scores = await engine.score_answer(Prompt((Text(before),)), answer, cache_key="healed")
    healed, whole = await engine.tokenize([" return a + b\n", before + answer])
    free = (await engine.score(whole))[-len(healed) :]
    assert len(scores) == len(free)
    assert scores[0] == pytest.approx(0, abs=0.01)  # nothing else begins with " retu"
    assert free[0] < -0.1
    assert scores[1:] == pytest.approx(free[1:], abs=0.05)


async def test_samples_are_drawn_and_can_be_drawn_again(engine: HttpEngine) -> None:
    async def draw(seed: int) -> str:
        request = GenerationRequest(Prompt((Text(CODE),)), 12, temperature=1.5, seed=seed)
        return "".join([chunk.text async for chunk in engine.generate(request)])

    answers = [await draw(seed) for seed in (1, 1, 2, 3)]
    assert answers[0] == answers[1]
    assert len(set(answers)) > 1


async def test_generated_logprobs_agree_with_scored_ones(http: httpx.AsyncClient) -> None:
    # Two tokens: longer answers are tokenised otherwise when they are sent back as text.
    generated = (await complete(http, prompt=CODE, max_tokens=2, logprobs=1))["choices"][0]
    scored = await complete(
        http, prompt=CODE + generated["text"], echo=True, logprobs=0, max_tokens=0
    )
    tail = scored["choices"][0]["logprobs"]["token_logprobs"][-2:]
    assert generated["logprobs"]["token_logprobs"] == pytest.approx(tail, abs=0.15)


async def test_a_streamed_answer_says_how_likely_its_end_was(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    body = {"prompt": CODE, "max_tokens": 40, "temperature": 0, "logprobs": 0}
    (choice,) = (await complete(http, **body))["choices"]
    request = GenerationRequest(Prompt((Text(CODE),)), 40, heal=False)
    text, scores = "", []
    async for chunk in engine.generate(request):
        scores += placed(chunk.scores, len(text))
        text += chunk.text
    told = choice["logprobs"]["token_logprobs"]
    assert [score.logprob for score in scores[: len(told)]] == pytest.approx(told, abs=0.05)
    ends = list(accumulate(map(len, choice["logprobs"]["tokens"])))
    assert [score.end for score in scores[: len(told)]] == ends
    ended = choice["finish_reason"] == "stop"
    assert [score.end for score in scores[len(told) :]] == [len(text)] * ended


@pytest.mark.parametrize(
    ("body", "param", "status"),
    [
        ({"prompt": "x", "max_tokens": "many"}, "max_tokens", 400),
        ({"prompt": "x", "model": "gpt-7"}, "model", 404),
        ({"prompt": [999_999_999]}, "prompt", 400),
        ({"prompt": "x", "suffix": "y"}, "suffix", 400),
        ({"prompt": "word " * 5000}, "prompt", 400),
        ({"prompt": "x", "best_of": 3}, "best_of", 400),
        ({"prompt": "x", "logit_bias": {"999999": 1}}, "logit_bias", 400),
        ({"prompt": ""}, "prompt", 400),
        ({}, "prompt", 400),
    ],
)
async def test_bad_requests_name_the_field(
    http: httpx.AsyncClient, body: dict, param: str, status: int
) -> None:
    for stream in (False, True):
        response = await http.post("/v1/completions", json=body | {"stream": stream})
        assert response.status_code == status
        error = response.json()["error"]
        assert error["param"] == param
        assert error["code"] == status


async def test_access(running: RunningEngine) -> None:
    async with httpx.AsyncClient(base_url=running.url) as stranger:
        assert (await stranger.get("/health")).json()["status"] == "ok"
        assert (await stranger.get("/v1/models")).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert (await stranger.post("/v1/completions", headers=wrong)).status_code == 401
        rebound = {"authorization": f"Bearer {running.token}", "host": "evil.example"}
        assert (await stranger.get("/v1/models", headers=rebound)).status_code == 403
        preflight = await stranger.options("/v1/completions", headers={"origin": "http://x"})
        assert "access-control-allow-origin" not in preflight.headers


async def test_typing_computes_only_new_tokens(engine: HttpEngine) -> None:
    text = "import os\n" * 60 + "def walk(folder):\n    for name in os.list"
    cached = []
    for typed in ("", "d", "di", "dir", "dir(", "dir(f", "dir(folder"):
        request = GenerationRequest(Prompt((Text(text + typed),)), 1, cache_key="typing.py")
        *_, last = [chunk async for chunk in engine.generate(request)]
        cached.append((last.timings["cache_n"], last.timings["prompt_n"]))
    first, *later = cached
    assert first[0] == 0
    assert all(computed <= 4 for _, computed in later), cached


async def test_healing_finishes_the_word(engine: HttpEngine) -> None:
    text = "def double(x):\n    retu"
    answers = {}
    for heal in (True, False):
        request = GenerationRequest(Prompt((Text(text),)), 3, heal=heal, cache_key=f"{heal}")
        answers[heal] = "".join([chunk.text async for chunk in engine.generate(request)])
    assert answers[True].startswith("rn")
    assert answers[True] != answers[False]


async def until_busy(http: httpx.AsyncClient) -> None:
    """Wait until the engine has begun to compute something."""
    while "tenon_queue 0.0" in (await http.get("/metrics")).text:  # noqa: ASYNC110 - by request
        await asyncio.sleep(0.01)


async def test_a_closed_answer_frees_the_engine_within_a_chunk(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    long_prompt = "value = compute(1)\n" * 120
    request = GenerationRequest(Prompt((Text(long_prompt),)), 64, cache_key="cancelled.py")
    answer = engine.generate(request)
    waiting = asyncio.create_task(anext(answer))
    await until_busy(http)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await answer.aclose()
    # The engine is free at once, and what it computed by then was not the whole prompt.
    await complete(http, prompt="x = ", max_tokens=1)
    again = await complete(http, prompt=long_prompt, max_tokens=1, prompt_cache_key="cancelled.py")
    computed_before = again["timings"]["cache_n"]
    assert computed_before < again["usage"]["prompt_tokens"] - 64
    assert computed_before % 64 == 0


async def test_a_user_goes_before_background_work(http: httpx.AsyncClient) -> None:
    order: list[str] = []

    async def ask(name: str, **body: object) -> None:
        await complete(http, **body)
        order.append(name)

    background = asyncio.create_task(
        ask("background", prompt="x = 1\n" * 120, max_tokens=8, priority=5)
    )
    await until_busy(http)
    await ask("user", prompt="def f(", max_tokens=2)
    await background
    assert order == ["user", "background"]


async def test_adapters_never_share_kv(
    http: httpx.AsyncClient, engine: HttpEngine, adapter_files: tuple[Path, Path]
) -> None:
    ids = (await engine.tokenize([CODE]))[0]
    base = await engine.score(ids)
    for name, path in zip(("one", "two"), adapter_files, strict=True):
        await engine.load_adapter(name, path)
    assert (await engine.info()).adapters == ("one", "two")
    alone = {
        name: (
            await complete(
                http, model=name, prompt=CODE, max_tokens=8, prompt_cache_key=f"alone{name}"
            )
        )
        for name in ("one", "two", "")
    }
    texts = {name: answer["choices"][0]["text"] for name, answer in alone.items()}
    assert len(set(texts.values())) == 3
    # Now all three over the same file: each answer must be what it was alone.
    for name in ("one", "", "two", "one", "two", ""):
        answer = await complete(
            http, model=name, prompt=CODE, max_tokens=8, prompt_cache_key="shared.py"
        )
        assert answer["choices"][0]["text"] == texts[name]
    assert await engine.score(ids, adapter="one") != pytest.approx(base, abs=0.1)
    assert await engine.score(ids) == pytest.approx(base, abs=1e-3)

    with pytest.raises(EngineRequestError, match="already been loaded"):
        await engine.load_adapter("one", adapter_files[0])
    await engine.load_adapter("one", adapter_files[1], replace=True)
    replaced = await complete(http, model="one", prompt=CODE, max_tokens=8, prompt_cache_key="one")
    assert replaced["choices"][0]["text"] == texts["two"]
    for name in ("one", "two"):
        await engine.unload_adapter(name)
    with pytest.raises(EngineRequestError, match="cannot be found") as missing:
        await engine.unload_adapter("one")
    assert missing.value.status == 404


async def test_windows_that_want_the_same_adapter_do_not_disturb_each_other(
    http: httpx.AsyncClient,
    engine: HttpEngine,
    running: RunningEngine,
    adapter_files: tuple[Path, Path],
) -> None:
    async def loaded() -> dict[str, tuple[str, float]]:
        _base, *others = (await http.get("/v1/models")).json()["data"]
        return {entry["id"]: (entry["root"], entry["meta"]["scale"]) for entry in others}

    one, two = adapter_files
    other = running.connect()
    await asyncio.gather(*(client.have_adapter("ours", one, 0.75) for client in (engine, other)))
    assert await loaded() == {"ours": (str(one), 0.75)}
    with pytest.raises(EngineRequestError, match="no file"):
        await engine.have_adapter("ours", one.with_name("gone"), 0.75)
    await other.have_adapter("ours", two, 1.0)
    assert await loaded() == {"ours": (str(two), 1.0)}
    # What is there as it is wanted is not loaded again: the KV caches of its files stay.
    requests = [
        GenerationRequest(Prompt((Text(CODE),)), 1, adapter="ours", heal=False, cache_key="ours.py")
    ] * 2
    for request in requests:
        await engine.have_adapter("ours", two, 1.0)
        chunks = [chunk async for chunk in engine.generate(request)]
    assert chunks[-1].timings["cache_n"] > 0
    await other.aclose()
    await engine.unload_adapter("ours")


async def test_an_adapter_that_is_unloaded_serves_its_answer_to_the_end(
    engine: HttpEngine, adapter_files: tuple[Path, Path]
) -> None:
    await engine.load_adapter("going", adapter_files[0])
    requests = [
        # A file of its own each: what was cached before may change the last bits of a logit.
        GenerationRequest(Prompt((Text(CODE),)), 24, adapter="going", heal=False, cache_key=key)
        for key in ("first.py", "second.py")
    ]
    expected = "".join([chunk.text async for chunk in engine.generate(requests[0])])
    text = ""
    async for chunk in engine.generate(requests[1]):
        if not text:
            await engine.unload_adapter("going")
        text += chunk.text
    assert text == expected


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no gguf at all" * 100])
async def test_a_broken_adapter_is_refused_and_the_engine_lives(
    engine: HttpEngine, tmp_path: Path, content: bytes
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(content)
    with pytest.raises(EngineRequestError, match="cannot be loaded"):
        await engine.load_adapter("broken", broken)
    assert (await engine.info()).model == PLAIN


async def test_numbers_about_the_engine(http: httpx.AsyncClient) -> None:
    await complete(http, prompt="x", max_tokens=1)
    metrics = (await http.get("/metrics")).text
    assert 'tenon_requests_total{end="finished",kind="completions"}' in metrics
    model = (await http.get("/v1/models")).json()["data"][0]
    assert model["meta"]["fim_format"] == "plain"
    assert model["meta"]["decode_speed"] > 0
    assert math.isclose(model["meta"]["n_params"], 134_515_008)


async def test_a_document_of_one_word_is_healed_too(engine: HttpEngine) -> None:
    answers = []
    for heal in (True, False):
        request = GenerationRequest(Prompt((Text("impor"),)), 2, heal=heal, cache_key=f"1{heal}")
        answers.append("".join([chunk.text async for chunk in engine.generate(request)]))
    assert answers[0].startswith("t")
    assert answers[0] != answers[1]


async def test_any_seed_of_llama_cpps_clients_is_taken(http: httpx.AsyncClient) -> None:
    await complete(http, prompt="x", seed=-1, temperature=1, max_tokens=1)
    body = {"input_prefix": "x = ", "input_suffix": "", "n_predict": 1, "seed": -1}
    assert (await http.post("/infill", json=body)).status_code == 200


async def test_a_streamed_echo_comes_first_with_its_scores(http: httpx.AsyncClient) -> None:
    body = {"prompt": CODE, "echo": True, "logprobs": 0, "max_tokens": 2, "stream": True}
    response = await http.post("/v1/completions", json=body | {"temperature": 0})
    events = [
        json.loads(line.removeprefix("data: "))["choices"][0]
        for line in response.text.splitlines()
        if line.startswith("data: {")
    ]
    assert events[0]["text"] == CODE
    assert len(events[0]["logprobs"]["tokens"]) > 2
    offsets = [offset for event in events if event["logprobs"]
               for offset in event["logprobs"]["text_offset"]]  # fmt: skip
    assert offsets == sorted(offsets)
    assert offsets[-1] >= len(CODE)


async def test_parts_of_a_character_are_named_by_their_bytes(http: httpx.AsyncClient) -> None:
    answer = await complete(http, prompt="x = '🦀' + y", echo=True, logprobs=0, max_tokens=0)
    logprobs = answer["choices"][0]["logprobs"]
    assert any(token.startswith("bytes:") for token in logprobs["tokens"])
    assert logprobs["text_offset"][-1] == len("x = '🦀' +")


async def test_a_model_that_is_replaced_in_mid_answer_is_freed_after_it(
    http: httpx.AsyncClient, shared_home: StorePaths
) -> None:
    ModelStore(shared_home).import_file(plain_file(), "other", "plain")
    body = {"prompt": CODE, "max_tokens": 60, "stream": True, "logprobs": 0, "temperature": 0}
    whole = await complete(http, **(body | {"stream": False}))
    async with http.stream("POST", "/v1/completions", json=body) as response:
        for name in ("other", PLAIN, "other", PLAIN):
            switched = await http.post("/tenon/model", json={"model": name})
            assert switched.json()["data"][0]["id"] == name
        lines = [line async for line in response.aiter_lines() if line.startswith("data: {")]
    text = "".join(json.loads(line[6:])["choices"][0]["text"] for line in lines)
    assert text == whole["choices"][0]["text"]


async def test_adapters_come_and_go_under_load(
    http: httpx.AsyncClient, engine: HttpEngine, adapter_files: tuple[Path, Path]
) -> None:
    await engine.load_adapter("hot", adapter_files[0])
    done = asyncio.Event()

    async def use() -> int:
        count = 0
        while not done.is_set():
            body = {"prompt": CODE, "model": "hot", "max_tokens": 3}
            response = await http.post("/v1/completions", json=body)
            assert response.status_code == 200
            count += 1
        return count

    users = [asyncio.create_task(use()) for _ in range(3)]
    for turn in range(12):
        await engine.load_adapter("hot", adapter_files[turn % 2], replace=True)
    done.set()
    assert sum(await asyncio.gather(*users)) > 0
    await engine.unload_adapter("hot")


async def test_looking_at_the_engine_renews_what_the_client_knows(engine: HttpEngine) -> None:
    known = await engine.info()
    asked = await engine.ask_info()
    assert asked is not known
    assert await engine.info() is asked
