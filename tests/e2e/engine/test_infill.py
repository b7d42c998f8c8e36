"""llama.cpp's ``/infill``, as llama.vim and llama.vscode send it."""

import httpx


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


async def test_infill_heals_the_word_as_the_language_server_does(http: httpx.AsyncClient) -> None:
    body = {"input_prefix": "def double(x):\n    retu", "input_suffix": "", "n_predict": 2}
    assert (await http.post("/infill", json=body)).json()["content"].startswith("rn")


async def test_infill_drops_the_oldest_snippets_that_do_not_fit(http: httpx.AsyncClient) -> None:
    snippet = {"text": "value = compute(1)\n" * 60, "filename": "a.py"}
    body = {
        "input_prefix": "x = ",
        "input_suffix": "",
        "n_predict": 1,
        "input_extra": [snippet] * 9,
    }
    response = await http.post("/infill", json=body)
    assert response.status_code == 200
