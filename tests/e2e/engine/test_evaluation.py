"""`tenon eval` on made-up rows, with the real starter behind the real engine."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lsp_server.engine.launcher import find
from lsp_server.prompt.formats import FORMATS, Order
from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import InstalledModel, ModelStore
from lsp_server.store.paths import StorePaths
from tests.editors import TENON

HEAD = "def {0}(numbers):\n    total = 0\n    for number in numbers:\n"
ROWS = [
    {
        "task_id": f"made-up/{name}",
        "entry_point": name,
        "prompt": HEAD.format(name),
        "suffix": "    return total\n",
        "canonical_solution": "        total += number\n",
        "test": "def check(candidate):\n    assert candidate([1, 2]) == 3\n",
    }
    for name in ("total_of", "sum_up", "add_all")
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than any test waits for."""
    path = tmp_path_factory.mktemp("data") / "many.jsonl"
    rows = [
        ROWS[0] | {"task_id": str(n), "prompt": f"# {n}\n{ROWS[0]['prompt']}"} for n in range(999)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def begin(home: StorePaths, *options: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [TENON, "eval", *map(str, options)],
        env=os.environ | {"TENON_HOME": str(home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tenon_eval(home: StorePaths, *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TENON, "eval", *map(str, options)],
        env=os.environ | {"TENON_HOME": str(home.root)},
        capture_output=True,
        text=True,
        check=False,
    )


def figures(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def served_by(home: StorePaths) -> InstalledModel:
    store = ModelStore(home)
    return store.get(store.chosen() or STARTER)


async def adapters_of(home: StorePaths) -> tuple[str, ...]:
    running = find(home)
    assert running
    client = running.connect()
    try:
        return (await client.info()).adapters
    finally:
        await client.aclose()


def test_the_served_model_is_scored_and_goes_on(
    shared_home: StorePaths, data: Path, tmp_path: Path
):
    details = tmp_path / "details.jsonl"
    options = (data, "--json", "--execute", "--max-tokens", 24, "--details", details)
    told = figures(tenon_eval(shared_home, *options, "--limit", 2))
    running = find(shared_home)
    assert running
    assert (told["n"], told["total"]) == (2, 2)
    assert told["model"] == served_by(shared_home).name
    installed = served_by(shared_home)
    assert (told["sha256"], told["base"]) == (installed.sha256, installed.identity)
    fim = FORMATS[told["fim_format"]]
    assert told["suffix_used"] is (fim.order is not Order.PREFIX_ONLY)
    assert (told["adapter"], told["arm"], told["layout"]) == (None, "base", "own")
    assert 0 <= told["exact_match_untruncated"] <= told["exact_match"] <= 1
    assert 0 <= told["edit_similarity"] <= 1
    assert 0 < told["nll"] < 5
    assert told["pass_at_1"] is not None
    assert told["pass_at_k"] is None
    # A second run goes on with what is missing, at the same engine.
    again = figures(tenon_eval(shared_home, *options))
    assert again["n"] == 3
    assert find(shared_home) == running
    rows = [json.loads(line) for line in details.read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows[1:3]] == ["made-up/sum_up", "made-up/total_of"]
    assert len(rows) == 4
    # Figures do not depend on how the run was cut.
    whole = figures(tenon_eval(shared_home, data, "--json", "--execute", "--max-tokens", 24))
    assert whole["nll"] == pytest.approx(again["nll"], abs=0.02)
    refused = tenon_eval(shared_home, *options, "--layout", "plain")
    assert refused.returncode == 1
    assert "another run (layout 'own'" in refused.stderr


def test_an_engine_of_its_own_over_any_file(shared_home: StorePaths, data: Path):
    served = served_by(shared_home)
    asked = figures(
        tenon_eval(
            shared_home, data, "--json", "--no-nll", "--gguf", served.path, "--fim", served.fim,
            "--samples", 2, "--max-tokens", 8, "--limit", 1,
        )
    )  # fmt: skip
    assert asked["model"] == served.path.name
    assert asked["nll"] is None
    assert asked["temperature"] == 0.8
    assert not list(shared_home.root.glob("evaluation-*"))
    assert len(ModelStore(shared_home).installed()) == 1


def test_an_adapter_serves_for_the_evaluation_alone(
    shared_home: StorePaths, data: Path, adapter_files: tuple[Path, ...]
):
    base = figures(tenon_eval(shared_home, data, "--json", "--max-tokens", 4))
    adapted = figures(
        tenon_eval(shared_home, data, "--json", "--max-tokens", 4, "--adapter", adapter_files[0])
    )
    assert adapted["arm"] == "adapter"
    assert adapted["adapter"] == adapter_files[0].name
    assert abs(adapted["nll"] - base["nll"]) > 0.5
    assert asyncio.run(adapters_of(shared_home)) == ()


def test_an_interrupted_run_tells_what_it_measured(
    shared_home: StorePaths, many: Path, tmp_path: Path
):
    details = tmp_path / "details.jsonl"
    process = begin(shared_home, many, "--json", "--details", details, "--max-tokens", 4)
    while not details.exists() or details.read_bytes().count(b"\n") < 3:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    told = json.loads(out)
    assert process.returncode == 130
    assert told["interrupted"]
    assert told["n"] >= 2
    assert err == ""
    assert find(shared_home)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
def test_a_terminated_run_leaves_neither_its_home_nor_its_engine(
    shared_home: StorePaths, many: Path, tmp_path: Path
):
    served = served_by(shared_home)
    details = tmp_path / "details.jsonl"
    process = begin(
        shared_home, many, "--json", "--gguf", served.path, "--fim", served.fim,
        "--context", 128, "--max-tokens", 4, "--details", details,
    )  # fmt: skip
    while not details.exists() or details.read_bytes().count(b"\n") < 2:
        assert process.poll() is None
    (home,) = shared_home.root.glob("evaluation-*")
    running = find(StorePaths(home))
    assert running
    engine = psutil.Process(running.pid)
    process.terminate()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (128 + signal.SIGTERM, "")
    assert json.loads(out)["interrupted"]
    assert not home.exists()
    engine.wait(10)


def test_the_table_is_for_people(shared_home: StorePaths, data: Path):
    done = tenon_eval(shared_home, data, "--max-tokens", 4, "--limit", 1)
    assert done.returncode == 0
    assert "exact match, first line" in done.stdout
    assert served_by(shared_home).name in done.stdout
    assert done.stderr == ""
