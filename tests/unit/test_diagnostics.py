import logging
from pathlib import Path

import pytest

from lsp_server import __version__
from lsp_server.diagnostics import LONGEST, Situation, diagnostics
from lsp_server.log import RecentTroubles
from lsp_server.protocol import EngineReport, Outcome, Status
from lsp_server.settings import ServerSettings
from lsp_server.store.paths import StorePaths
from lsp_server.trainer_messages import TrainerReport, Verdict


@pytest.fixture
def paths(tmp_path):
    return StorePaths(tmp_path / "home")


def status(**more):
    engine = EngineReport("ready", "", 7, "http://user:word@127.0.0.1:1/?key=1", 4096, 900.0, 60.0)
    return Status("ready", "starter is serving.", __version__, engine, "starter", **more)


def test_it_says_what_runs_and_how_the_last_requests_ended(paths):
    recent = (Outcome("shown", 80.4, {"window_ms": 1.2, "total_ms": 80.4, "cache_n": 9}, "an-id"),)
    text = diagnostics(Situation(status(recent=recent), paths, editor="Code 1.110"))
    assert f"tenon {__version__}" in text
    assert "llama-cpp-python 0.3" in text
    assert "editor Code 1.110" in text
    assert "900 tokens/s read, 60 written, context 4096" in text
    assert "shown 80 ms (window 1) by an-id" in text
    assert "Trainer: none" in text


def test_only_settings_that_differ_are_told_and_no_secrets(paths):
    settings = ServerSettings(
        engine_url="https://me:secret@host:8000/v1?token=secret",
        engine_api_key_file="/very/private/key.txt",
        max_lines=7,
    )
    text = diagnostics(Situation(status(), paths, settings))
    assert "tenon.engineUrl = 'https://host:8000/v1'" in text
    assert "tenon.engineApiKeyFile = 'key.txt'" in text
    assert "tenon.maxLines = 7" in text
    assert "debounceMs" not in text
    assert "secret" not in text
    assert "private" not in text
    assert "word" not in text


def test_the_home_folder_is_a_tilde(paths, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    error = f"{tmp_path}/work/app: its adapter is damaged"
    text = diagnostics(Situation(status(last_error=error), paths))
    assert str(tmp_path) not in text
    assert "~/work/app: its adapter" in text
    assert "home ~/home" in text


def test_a_trainer_and_its_last_verdict(paths):
    last = Verdict("an-id", True, 0.1, 0.05, 90, "better on newer code", 1.0)
    trainer = TrainerReport("waiting", "waits", pending=4, waiting_for=("AC power",), last=last)
    text = diagnostics(Situation(status(trainer=trainer), paths))
    assert "waiting: waits" in text
    assert "waits for AC power" in text
    assert "last promoted an-id: better on newer code" in text


def test_the_logs_last_troubles_are_kept_in_one_line_each(paths):
    troubles = RecentTroubles(most=2)
    logger = logging.getLogger("tests.troubles")
    logger.addHandler(troubles)
    try:
        logger.info("nothing")
        for number in range(3):
            logger.warning("trouble %d\nmore %s", number, "x" * LONGEST)
    finally:
        logger.removeHandler(troubles)
    text = diagnostics(Situation(status(), paths, troubles=troubles.lines))
    told = [line for line in text.splitlines() if "WARNING" in line]
    assert len(told) == 2
    assert told[0].endswith("…")
    assert "trouble 1 more" in told[0]


def test_sizes_are_of_what_is_there(paths):
    paths.models.mkdir(parents=True)
    (paths.models / "a.gguf").write_bytes(b"x" * 3 * 2**20)
    text = diagnostics(Situation(status(), paths))
    assert "models 3.0 MiB" in text
    assert "repos 0.0 MiB" in text
