import io
import sys
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.commands.resolution import Download, ResolutionError, resolve
from lsp_server.commands.setup import constraints_file, needless_cuda, requirements, total
from lsp_server.store.recommend import Machine
from tests.wheels import write_wheel

PINS = dict(
    line.split("==")
    for line in constraints_file().read_text(encoding="utf-8").splitlines()
    if "==" in line
)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that is a folder, with all that training needs; torch is a CPU build."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, version in PINS.items():
        write_wheel(folder, name, version, files={f"{name}_stand_in.py": bytes(2_000_000)})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "unused"))  # not this venv, whatever happens
    return folder


@pytest.fixture
def cuda_index(index: Path) -> Path:
    write_wheel(index, "nvidia-cublas", "13.0", files={"cublas.bin": bytes(30_000_000)})
    write_wheel(index, "torch", PINS["torch"], requires=["nvidia-cublas"])
    return index


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(cores=2, memory_available=1, gpu=False)
    monkeypatch.setattr(Machine, "detect", classmethod(lambda _cls: machine))


def test_the_constraints_pin_what_the_extra_asks_for():
    wanted = requirements("train")
    assert {text.split(">")[0].split("<")[0] for text in wanted} <= set(PINS)
    assert any(text.startswith("torch") for text in wanted)
    assert PINS["torch"] == "2.13.0"


def test_only_the_extra_is_asked_for():
    names = " ".join(requirements("train"))
    assert "pygls" not in names
    assert "pytest" not in names


@pytest.mark.usefixtures("index")
def test_a_dry_run_tells_packages_and_sizes_and_installs_nothing(capsys, tmp_path: Path):
    assert main(["setup", "train", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert f"torch {PINS['torch']}  2.0 MB" in out
    assert f"{len(requirements('train'))} packages" in out
    assert not (tmp_path / "unused").exists()


@pytest.mark.usefixtures("cuda_index", "without_gpu")
def test_a_cuda_build_is_not_fetched_without_agreement(capsys, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # a pipe, so nobody to ask
    assert main(["setup", "train"]) == 1
    captured = capsys.readouterr()
    assert "nvidia-cublas 13.0  30.0 MB" in captured.out
    assert "no GPU" in captured.err
    others = len(requirements("train")) - 1  # each a stand-in of 2 MB, and torch is empty
    assert f"{30 + 2 * others}.0 MB" in captured.err
    assert "--extra-index-url" in captured.err
    assert "--yes" in captured.err
    assert not (tmp_path / "unused").exists()


@pytest.mark.usefixtures("cuda_index", "without_gpu")
def test_with_agreement_it_is_installed_and_pip_options_pass_through(capfd, tmp_path: Path):
    target = tmp_path / "chosen"
    assert main(["setup", "train", "--yes", "--", "--target", str(target)]) == 0
    assert (target / "transformers_stand_in.py").is_file()
    assert not (tmp_path / "unused").exists()
    assert "training is set up" in capfd.readouterr().out


class Terminal(io.StringIO):
    """A standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("cuda_index", "without_gpu")
@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 1), ("no\n", 1)])
def test_at_a_terminal_it_asks(monkeypatch, tmp_path: Path, answer: str, status: int):
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    target = tmp_path / "chosen"
    assert main(["setup", "train", "--", "--target", str(target)]) == status
    assert target.exists() == (status == 0)


@pytest.mark.usefixtures("index", "without_gpu")
def test_a_cpu_build_needs_no_agreement(tmp_path: Path):
    assert main(["setup", "train", "--", "--target", str(tmp_path / "chosen")]) == 0
    assert (tmp_path / "chosen" / "torch_stand_in.py").is_file()


def test_an_index_without_the_pinned_release_is_told(index: Path, capsys):
    (index / f"torch-{PINS['torch']}-py3-none-any.whl").unlink()
    write_wheel(index, "torch", "2.13.7")
    assert main(["setup", "train", "--dry-run"]) == 1
    err = capsys.readouterr().err
    assert "pip could not resolve" in err
    assert "torch" in err


def test_what_is_installed_is_not_downloaded(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert resolve(["msgspec"], constraints_file(), [], tmp_path) == []


def test_a_bad_pip_option_is_pips_to_refuse(index: Path, tmp_path: Path):
    with pytest.raises(ResolutionError, match="no-such-option"):
        resolve(["torch"], constraints_file(), ["--no-such-option"], tmp_path)


def test_a_size_that_cannot_be_had_makes_it_at_least():
    known = Download("a", "1", "https://a", 3_000_000)
    unknown = Download("b", "1", "https://b", None)
    assert total([known]) == "3.0 MB"
    assert total([known, unknown]) == "at least 3.0 MB"


def test_a_cuda_build_is_fine_where_a_gpu_is(monkeypatch):
    machine = Machine(cores=2, memory_available=1, gpu=True)
    monkeypatch.setattr(Machine, "detect", classmethod(lambda _cls: machine))
    assert not needless_cuda([Download("nvidia-cublas", "13", "https://a", 1)])
