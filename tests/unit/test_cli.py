import errno
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.commands import status


def fail(error):
    def run(_options):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOENT, "No such file or directory", "/proc/nope"), "/proc/nope"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_with_the_way_round_it(
    capsys, monkeypatch, tmp_path, error, named
):
    monkeypatch.setenv("TENON_HOME", str(tmp_path))
    monkeypatch.setattr(status, "run", fail(error))
    assert main(["status"]) == 1
    said = capsys.readouterr().err
    assert named in said
    assert "TENON_HOME" in said
    assert str(tmp_path) in said
    assert said.count("\n") == 1


def test_a_pipe_that_nobody_reads_is_no_error(capsys, monkeypatch):
    monkeypatch.setattr(status, "run", fail(BrokenPipeError()))
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", None)
        assert main(["status"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder nobody can write in")
def test_a_home_that_cannot_be_made(capsys, monkeypatch):
    monkeypatch.setenv("TENON_HOME", "/proc/nope")
    assert main(["engine"]) == 1
    assert capsys.readouterr().err.startswith("tenon: /proc/nope cannot be used (")
