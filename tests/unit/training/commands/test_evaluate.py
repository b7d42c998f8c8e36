"""What `tenon eval` refuses before any engine is asked, and how it says so."""

import json
import sys
from pathlib import Path

import pytest

from lsp_server.cli import TRAINING, main

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
        (["--arm", "base+ctx"], "needs the repository index, which is still to come"),
        (["--arm", "adapter"], "needs an --adapter"),
        (["--adapter", "nowhere.gguf"], "no adapter file nowhere.gguf"),
        (["--adapter", "{data}", "--arm", "base"], "the arm base is without an --adapter"),
        (["--fim", "codestral"], "name the file with --gguf"),
        (["--threads", "2"], "add --model or --gguf"),
        (["--samples", "2", "--temperature", "0"], "all the same"),
        (["--gguf", "nowhere.gguf"], "nowhere.gguf"),
        (["--gguf", "{data}"], "rows.jsonl"),
        (["--model", "nosuch"], "no model 'nosuch'"),
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


@pytest.mark.parametrize("options", [["--limit", "0"], ["--layout", "mps"], ["--samples", "x"]])
def test_wrong_usage(capsys, data, options):
    with pytest.raises(SystemExit) as end:
        main(["eval", data, *options])
    assert end.value.code == 2


def test_help_tells_the_formats(capsys):
    with pytest.raises(SystemExit):
        main(["eval", "--help"])
    assert "humaneval-infilling: " in capsys.readouterr().out


def test_it_needs_nothing_of_the_train_extra(data):
    main(["eval", data, "--arm", "base+ctx"])
    assert not {"transformers", "peft"} & sys.modules.keys()


def test_what_the_train_extra_would_bring_is_named(capsys, monkeypatch):
    monkeypatch.setitem(TRAINING, "eval", "training.needs_what_is_not_there")
    monkeypatch.setattr("lsp_server.cli.import_module", _missing)
    assert main(["eval", "x"]) == 1
    told = capsys.readouterr().err
    assert "needs bitsandbytes" in told
    assert "`tenon setup train`" in told


def _missing(_name, *_package):
    raise ModuleNotFoundError("No module named 'bitsandbytes.nn'", name="bitsandbytes.nn")
