"""`tenon watch` where it cannot begin, and what it says once instead of watching."""

import importlib
import sys

import pytest

from lsp_server.cli import main
from tests.git_repositories import code


def test_without_watchdog_it_is_named(capsys, monkeypatch, tmp_path):
    for name in [*sys.modules]:
        if name.partition(".")[0] in {"training", "watchdog"}:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "watchdog", None)
    monkeypatch.setitem(sys.modules, "watchdog.events", None)
    assert main(["watch", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "needs watchdog" in said
    assert "`tenon setup train`" in said


def test_there_must_be_a_folder(capsys, monkeypatch, tmp_path):
    pytest.importorskip("watchdog")
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    assert main(["watch", str(tmp_path / "gone")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_it_counts_once(capsys, monkeypatch, tmp_path):
    pytest.importorskip("watchdog")
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    command = importlib.import_module("training.commands.watch")
    monkeypatch.setattr(command, "give_way", lambda **_: None)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a.py").write_text(code("one", 4))
    assert main(["watch", str(tmp_path / "root"), "--count"]) == 0
    assert capsys.readouterr().out == "1\n"
    assert main(["watch", str(tmp_path / "root"), "--drift"]) == 0  # no engine is started for it
    assert capsys.readouterr().out == "null\n"
