import subprocess
import sys

import pytest

from lsp_server.cli import main
from lsp_server.store.paths import StorePaths
from tests.report_stores import with_history


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    return StorePaths(tmp_path / "home")


def test_a_summary_draws_nothing(home, tmp_path):
    script = (
        "import sys\nfrom lsp_server.cli import main\n"
        f"assert main(['report', {str(tmp_path)!r}]) == 0\n"
        "assert 'matplotlib' not in sys.modules\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "serves, without an adapter" in done.stdout


def test_a_page_in_a_file_and_on_standard_output(home, tmp_path, capfdbinary):
    with_history(home, tmp_path)
    assert main(["report", str(tmp_path), "--html", str(tmp_path / "page.html")]) == 0
    written = (tmp_path / "page.html").read_bytes()
    assert written.startswith(b"<!DOCTYPE html>")
    capfdbinary.readouterr()
    assert main(["report", str(tmp_path), "--html", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"<!DOCTYPE html>")


def test_a_file_stands_for_its_repository(home, tmp_path, capsys):
    (tmp_path / "app" / ".git").mkdir(parents=True)
    (tmp_path / "app" / "a.py").write_text("")
    with_history(home, tmp_path / "app")
    assert main(["report", str(tmp_path / "app" / "a.py")]) == 0
    assert capsys.readouterr().out.startswith("app: ")


def test_a_folder_that_cannot_be_written_says_so(home, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["report", str(tmp_path), "--html", str(tmp_path / "file" / "page.html")]) == 1
    assert "cannot be used" in capsys.readouterr().err


def test_status_gives_diagnostics_too(home, capsys):
    assert main(["status", "--diagnostics"]) == 0
    text = capsys.readouterr().out
    assert "llama-cpp-python" in text
    assert "Last outcomes: none" in text
