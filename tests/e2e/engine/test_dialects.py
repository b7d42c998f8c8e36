"""The engine as other programs see it: OpenAI's, vLLM's and llama.cpp's dialects, for real."""

import asyncio
import math
from pathlib import Path

import httpx
import pytest

from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.client import HttpEngine
from lsp_server.engine.launcher import RunningEngine
from lsp_server.errors import EngineRequestError
from lsp_server.prompt.assemble import Prompt
from lsp_server.prompt.formats import Text

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
    assert answer["model"] == "smollm2-135m"
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
    assert sum(chunk.tokens for chunk in chunks) == 12


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


async def test_generated_logprobs_agree_with_scored_ones(http: httpx.AsyncClient) -> None:
    # Two tokens: longer answers are tokenised otherwise when they are sent back as text.
    generated = (await complete(http, prompt=CODE, max_tokens=2, logprobs=1))["choices"][0]
    scored = await complete(
        http, prompt=CODE + generated["text"], echo=True, logprobs=0, max_tokens=0
    )
    tail = scored["choices"][0]["logprobs"]["token_logprobs"][-2:]
    assert generated["logprobs"]["token_logprobs"] == pytest.approx(tail, abs=0.15)


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
    response = await http.post("/v1/completions", json=body)
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


async def test_a_closed_answer_frees_the_engine_within_a_chunk(
    engine: HttpEngine, http: httpx.AsyncClient
) -> None:
    long_prompt = "value = compute(1)\n" * 120
    request = GenerationRequest(Prompt((Text(long_prompt),)), 64, cache_key="cancelled.py")
    answer = engine.generate(request)
    waiting = asyncio.create_task(anext(answer))
    await asyncio.sleep(0.3)
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
    await asyncio.sleep(0.2)
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
        name: (await complete(http, model=name, prompt=CODE, max_tokens=8, prompt_cache_key=name))
        for name in ("one", "two")
    }
    texts = {name: answer["choices"][0]["text"] for name, answer in alone.items()}
    assert texts["one"] != texts["two"]
    # Now all three over the same file: each answer must be what it was alone.
    for name in ("one", "", "two", "one", "two", ""):
        answer = await complete(
            http, model=name, prompt=CODE, max_tokens=8, prompt_cache_key="shared.py"
        )
        if name:
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
    assert (await engine.info()).model == "smollm2-135m"


async def test_infill_as_llama_vim_sends_it(http: httpx.AsyncClient) -> None:
    body = {
        "id_slot": 0,
        "input_prefix": "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n",
        "input_suffix": "\n",
        "input_extra": [{"text": "import math\n", "filename": "m.py", "time": 1}],
        "prompt": "    return a",
        "n_predict": 6,
        "stop": [],
        "n_indent": 4,
        "top_k": 40,
        "top_p": 0.9,
        "samplers": ["top_k", "top_p", "infill"],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 60_000,
        "model": "",
        "response_fields": ["content", "timings/prompt_n", "tokens_cached", "truncated"],
    }
    response = await http.post("/infill", json=body)
    assert response.status_code == 200
    assert '"content":"' in response.text  # llama.vim looks for exactly this
    answer = response.json()
    assert set(answer) == {"content", "timings/prompt_n", "tokens_cached", "truncated"}
    assert answer["content"].startswith(" - b")


async def test_infill_warms_up_and_streams(http: httpx.AsyncClient) -> None:
    warm = {"input_prefix": "", "input_suffix": "", "prompt": "", "n_predict": 0}
    assert (await http.post("/infill", json=warm)).json()["content"] == ""
    body = {"input_prefix": "x = [1, 2", "input_suffix": "", "n_predict": 4, "stream": True}
    response = await http.post("/infill", json=body)
    assert '"stop":true' in response.text
    missing = await http.post("/infill", json={"input_prefix": "x"})
    assert missing.json()["error"]["param"] == "input_suffix"


async def test_infill_cuts_what_does_not_fit(http: httpx.AsyncClient) -> None:
    body = {"input_prefix": "value = compute(1)\n" * 500, "input_suffix": "\n", "n_predict": 2}
    answer = (await http.post("/infill", json=body)).json()
    assert 512 < answer["tokens_evaluated"] < 1024


async def test_numbers_about_the_engine(http: httpx.AsyncClient) -> None:
    await complete(http, prompt="x", max_tokens=1)
    metrics = (await http.get("/metrics")).text
    assert 'tenon_requests_total{end="finished",kind="completions"}' in metrics
    model = (await http.get("/v1/models")).json()["data"][0]
    assert model["meta"]["fim_format"] == "plain"
    assert model["meta"]["decode_speed"] > 0
    assert math.isclose(model["meta"]["n_params"], 134_515_008)
