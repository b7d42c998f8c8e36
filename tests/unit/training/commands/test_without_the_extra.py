import sys

import pytest

from lsp_server.cli import main


@pytest.mark.parametrize("missing", ["torch", "tokenizers"])
def test_what_the_recipe_needs_is_named(capsys, monkeypatch, missing):
    if missing == "tokenizers":
        pytest.importorskip("torch", reason="torch is missed first: run `tenon setup train`")
    for name in [*sys.modules]:
        if name.partition(".")[0] == "training":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    assert main(["train-base", "run.toml"]) == 1
    said = capsys.readouterr().err
    assert f"needs {missing}" in said
    assert "`tenon setup train`" in said
