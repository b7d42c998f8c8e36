"""A family that is trained with unfinished words behind its middle token, on the real engine.

The weights are the plain starter's with a weak random LoRA in them: what is taken back, kept and
laid out does not depend on what a model was taught.
"""

import logging
import sys
from collections.abc import Iterator
from subprocess import DEVNULL, PIPE, Popen

import httpx
import pytest

from lsp_server.completion.engine import GenerationRequest
from lsp_server.engine.infill import work_of
from lsp_server.engine.launcher import EngineOptions, RunningEngine, find_or_start
from lsp_server.engine.llama import Backend
from lsp_server.engine.messages import InfillBody, InfillExtra
from lsp_server.engine.process import served_model
from lsp_server.engine.runtime import Lease, Runtime, RuntimeOptions
from lsp_server.prompt.assemble import Prompt, compose
from lsp_server.prompt.formats import FORMATS
from lsp_server.store.download import pull
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.e2e.engine.conftest import end_engine
from tests.loras import write_lora
from tests.starter import plain_file
from tests.tiny_starter import entries, install

FIM = FORMATS["tenon-starter"]
PREFIX_ID, SUFFIX_ID, MIDDLE_ID = 8, 9, 10
BEFORE, AFTER = "def double(x):\n    retu", "\n\nprint(double(2))\n"


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StorePaths]:
    """A home that holds a starter merged on this machine."""
    folder, base = tmp_path_factory.mktemp("taught"), plain_file()
    store = ModelStore(StorePaths(folder / "home"))
    found = entries(base, write_lora(folder / "lora.gguf", base, strength=0.001))
    with pytest.MonkeyPatch.context() as patched:
        install(found, patched.setattr)
        store.add(found["tiny-base"], base)
        pull(store, found["tiny-starter"])
        store.choose("tiny-starter")
    yield store.paths
    end_engine(store.paths)


@pytest.fixture
async def running(taught: StorePaths) -> RunningEngine:
    return await find_or_start(taught, EngineOptions(context=1024))


async def complete(http: httpx.AsyncClient, **body: object) -> dict:
    response = await http.post("/v1/completions", json={"temperature": 0} | body)
    assert response.status_code == 200, response.text
    return response.json()


async def tokens(http: httpx.AsyncClient, text: str) -> list[int]:
    return (await http.post("/tokenize", json={"content": text})).json()["tokens"]


async def test_the_unfinished_word_moves_behind_the_middle_token(http: httpx.AsyncClient) -> None:
    suffix, prefix = await tokens(http, AFTER), await tokens(http, BEFORE)
    kept = await tokens(http, "def double(x):\n   ")
    assert prefix[: len(kept)] == kept
    answers = [
        await complete(http, prompt=prompt, max_tokens=2, token_healing=True, logprobs=0, **more)
        for prompt, more in (
            ([SUFFIX_ID, AFTER, PREFIX_ID, BEFORE, MIDDLE_ID], {}),
            (BEFORE, {"suffix": AFTER}),
        )
    ]
    for answer in answers:
        assert answer["choices"][0]["text"].startswith("rn")
        assert answer["usage"]["prompt_tokens"] == len(suffix) + len(kept) + 3
    # What the model read is exactly this, and its first token was a whole word.
    word = answers[0]["choices"][0]["logprobs"]["tokens"][0]
    assert word.startswith(" return")
    read = [SUFFIX_ID, *suffix, PREFIX_ID, *kept, MIDDLE_ID, *await tokens(http, word)]
    rest = (await complete(http, prompt=read, max_tokens=1))["choices"][0]["text"]
    assert answers[0]["choices"][0]["text"] == word.removeprefix(" retu") + rest


async def test_a_character_of_several_tokens_is_scored_whole(http: httpx.AsyncClient) -> None:
    before = "# 😀😀😀😀😀"
    prompt = [SUFFIX_ID, AFTER, PREFIX_ID, before, MIDDLE_ID]
    answer = await complete(http, prompt=prompt, answer="\n", token_healing=True, logprobs=0)
    names = answer["choices"][0]["logprobs"]["tokens"]
    pieces = [
        bytes.fromhex(name.removeprefix("bytes:").replace("\\x", ""))
        if name.startswith("bytes:")
        else name.encode()
        for name in names
    ]
    scored = b"".join(pieces).decode()
    assert scored.startswith("😀")
    assert f"{before}\n".endswith(scored)


@pytest.mark.parametrize(
    "prompt",
    [
        [PREFIX_ID, AFTER, SUFFIX_ID, BEFORE, MIDDLE_ID],  # another order: what ends is a suffix
        [SUFFIX_ID, BEFORE, PREFIX_ID, MIDDLE_ID],  # nothing before the cursor
        [SUFFIX_ID, AFTER, PREFIX_ID, BEFORE, MIDDLE_ID, MIDDLE_ID],
        [SUFFIX_ID, AFTER, PREFIX_ID, "if x:\n", MIDDLE_ID],  # a line start
    ],
)
async def test_other_prompts_are_left_alone(
    http: httpx.AsyncClient, prompt: list[int | str]
) -> None:
    lengths = [
        (await complete(http, prompt=prompt, max_tokens=1, token_healing=heal))["usage"][
            "prompt_tokens"
        ]
        for heal in (True, False)
    ]
    assert lengths[0] == lengths[1]


async def test_typing_inside_a_word_computes_one_token(running: RunningEngine) -> None:
    engine = running.connect()
    before = "import os\n" * 40 + "def walk(folder):\n    for name in os.li"
    costs = []
    for typed in ("", "s", "st", "std", "std(", "std(folder", "std(folder)"):
        prompt = Prompt(compose(FIM, before + typed, AFTER), FIM.stops)
        request = GenerationRequest(prompt, 1, cache_key="typing.py")
        *_, last = [chunk async for chunk in engine.generate(request)]
        costs.append((last.timings["cache_n"], last.timings["prompt_n"]))
    await engine.aclose()
    first, *later = costs
    assert first[0] == 0
    assert [computed for _, computed in later[:3]] == [1, 1, 1], costs
    assert all(computed <= 5 for _, computed in later), costs


async def test_infill_heals_there_too(http: httpx.AsyncClient) -> None:
    body = {"input_prefix": BEFORE, "input_suffix": AFTER, "n_predict": 2}
    answer = (await http.post("/infill", json=body)).json()
    assert answer["content"].startswith("rn")


@pytest.fixture
def peer(taught: StorePaths) -> Iterator[str]:
    """llama.cpp's own server over the merged file: all that it knows is the file's metadata."""
    path = ModelStore(taught).get("tiny-starter").path
    command = [sys.executable, "-m", "tests.llama_server", str(path)]
    with Popen(command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, text=True) as server:
        assert server.stdout
        assert server.stdin
        yield server.stdout.readline().strip()
        server.stdin.close()


async def test_infill_composes_what_llama_cpps_own_server_does(
    taught: StorePaths, peer: str
) -> None:
    # It ends at a line start: the peer does not heal.
    body = {
        "input_prefix": "def double(x):\n    return 2 * x\n\n\nif True:\n",
        "input_suffix": AFTER,
        "input_extra": [
            {"filename": "src/a.py", "text": "import os\n"},
            {"text": "x = 1\ny = 2\n"},
        ],
        "n_predict": 4,
        "temperature": 0,
    }
    async with httpx.AsyncClient(base_url=peer, timeout=60) as client:
        theirs = (await client.post("/infill", json=body)).json()
    extra = [InfillExtra(**chunk) for chunk in body["input_extra"]]
    model = served_model(ModelStore(taught), "tiny-starter")
    runtime = Runtime(Backend(logging.getLogger("llama")), model, RuntimeOptions(context=1024))
    work = work_of(
        InfillBody(
            input_prefix=body["input_prefix"], input_suffix=AFTER, input_extra=extra, n_predict=4
        ),
        Lease(runtime),
    )
    ours = runtime.vocabulary.detokenize(work.tokens)
    runtime.close()
    # This build of it has no switch for the suffix first; all else must be the same.
    files = "<repo_name>myproject\n<file_sep>src/a.py\nimport os\n<file_sep>tmp\nx = 1\ny = 2\n"
    files += "<file_sep>filename\n"
    prefix, suffix = f"<issue_start>{body['input_prefix']}", f"<issue_comment>{AFTER}"
    assert theirs["prompt"] == f"{files}{prefix}{suffix}<issue_closed>"
    assert ours == f"{files}{suffix}{prefix}<issue_closed>"
    assert len(work.tokens) == theirs["tokens_evaluated"]
