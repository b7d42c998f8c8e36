"""What `tenon eval` refuses before any engine is asked, and how it tells what it measured."""

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lsp_server.cli import TRAINING, main
from lsp_server.errors import EngineUnavailableError
from tests.fakes import QWEN_INFO, FakeEngine
from training.commands import evaluate
from training.evaluation.benchmarks import read
from training.evaluation.evaluate import EvaluationOptions
from training.evaluation.formats import Choice
from training.evaluation.report import Report

ROW = {"prefix": "x = ", "suffix": "\n", "middle": "1"}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW))
    return str(path)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--execute"], "no tests that could be run"),
        (["--arm", "base+ctx"], "brings nothing of other files"),
        (["--arm", "adapter"], "needs an --adapter"),
        (["--adapter", "nowhere.gguf"], "no adapter file nowhere.gguf"),
        (["--adapter", "{data}", "--arm", "base"], "the arm base is without an --adapter"),
        (["--fim", "codestral"], "name the file with --gguf"),
        (["--threads", "2"], "add --model or --gguf"),
        (["--samples", "2", "--temperature", "0"], "all the same"),
        (["--gguf", "nowhere.gguf"], "nowhere.gguf"),
        (["--gguf", "{data}"], "rows.jsonl"),
        (["--model", "nosuch"], "no model 'nosuch'"),
        (["--details", "no/such/folder/x.jsonl"], "no folder no/such/folder"),
        (["--details", "."], "is a folder"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(capsys, data, options, said):
    assert main(["eval", data, *(option.format(data=data) for option in options)]) == 1
    told = capsys.readouterr().err
    assert told.startswith("tenon: ")
    assert said in told
    assert not list(Path(data).parent.glob("home/evaluation-*"))


def test_a_file_that_is_no_data_set(capsys, data, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"question": "?"}')
    assert main(["eval", str(tmp_path / "other.jsonl")]) == 1
    assert "Known are:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [["--limit", "0"], ["--layout", "mps"], ["--samples", "x"], ["--context", "10"]]
)
def test_wrong_usage(capsys, data, options):
    with pytest.raises(SystemExit) as end:
        main(["eval", data, *options])
    assert end.value.code == 2


def serve(monkeypatch: pytest.MonkeyPatch, engine: FakeEngine) -> None:
    """Have `tenon eval` find this engine as the user's own."""

    @asynccontextmanager
    async def shared_engine(*_what):
        yield engine

    monkeypatch.setattr(evaluate, "shared_engine", shared_engine)


def write_rows(data: str, count: int) -> None:
    rows = [ROW | {"id": str(number), "prefix": f"x{number} = "} for number in range(count)]
    Path(data).write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_an_engine_that_fails_on_the_way_leaves_what_was_measured(capsys, data, monkeypatch):
    def answer(request):
        if "x2" in str(request.prompt):
            raise EngineUnavailableError("the engine is gone")
        return "1"

    serve(monkeypatch, FakeEngine(answer))
    write_rows(data, 4)
    assert main(["eval", data, "--no-nll", "--json"]) == 1
    told = capsys.readouterr()
    figures = json.loads(told.out)
    assert (figures["n"], figures["total"], figures["exact_match"]) == (2, 4, 1.0)
    assert figures["interrupted"]
    assert told.err == "tenon: the engine is gone\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once")
def test_a_run_that_is_told_to_end_cleans_up_and_tells_what_it_measured(capsys, data, monkeypatch):
    def answer(request):
        if "x2" in str(request.prompt):
            os.kill(os.getpid(), signal.SIGTERM)
        return "1"

    engine = FakeEngine(answer)
    serve(monkeypatch, engine)
    write_rows(data, 50)
    assert main(["eval", data, "--no-nll", "--json"]) == 143
    figures = json.loads(capsys.readouterr().out)
    assert 2 <= figures["n"] < 50
    assert figures["interrupted"]
    assert engine.open_streams == 0
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_results_of_changed_data_are_not_taken_over(capsys, data, monkeypatch, tmp_path):
    serve(monkeypatch, FakeEngine("1"))
    options = ["eval", data, "--no-nll", "--details", str(tmp_path / "details.jsonl")]
    assert main(options) == main(options) == 0
    Path(data).write_text(json.dumps(ROW | {"prefix": "y = "}))
    assert main(options) == 1
    assert "another run (data_sha256" in capsys.readouterr().err


def test_a_run_is_the_same_at_its_end_whatever_became_of_its_files(data, tmp_path):
    adapter = tmp_path / "lora.gguf"
    adapter.write_bytes(b"lora")
    benchmark = read(Path(data), Choice())
    report = Report(benchmark, EvaluationOptions(), "adapter", "m", "b", QWEN_INFO, adapter)
    before = report.run()
    adapter.unlink()
    Path(data).unlink()
    assert report.run() == before
    assert report.as_json()["adapter_sha256"] == before["adapter_sha256"]


def test_help_tells_the_formats(capsys):
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    assert "humaneval-infilling: " in capsys.readouterr().out


def test_it_needs_nothing_of_the_train_extra(data):
    # In a process of its own: here, other tests have imported everything.
    code = (
        "import sys; from lsp_server.cli import main; main(sys.argv[1:]); "
        "sys.exit(bool({'torch', 'transformers', 'peft'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code, "eval", data, "--arm", "base+ctx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "brings nothing of other files" in done.stderr
    assert done.returncode == 0


def test_what_the_train_extra_would_bring_is_named(capsys, monkeypatch):
    monkeypatch.setitem(TRAINING, "eval", "training.needs_what_is_not_there")
    monkeypatch.setattr("lsp_server.cli.import_module", _missing)
    assert main(["eval", "x"]) == 1
    told = capsys.readouterr().err
    assert "needs bitsandbytes" in told
    assert "`tenon setup train`" in told


def _missing(_name, *_package):
    raise ModuleNotFoundError("No module named 'bitsandbytes.nn'", name="bitsandbytes.nn")
