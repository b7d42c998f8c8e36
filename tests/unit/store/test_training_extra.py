from lsp_server.store import training_extra
from lsp_server.store.training_extra import missing_packages, to_install


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(training_extra, "NEEDED", ("json", "no_such_package"))
    assert missing_packages() == ["no_such_package"]
    assert "not installed (no_such_package)" in to_install(missing_packages())


def test_what_is_installed_later_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(training_extra, "NEEDED", ("comes_later",))
    monkeypatch.syspath_prepend(tmp_path)
    assert missing_packages() == ["comes_later"]
    (tmp_path / "comes_later.py").touch()
    assert missing_packages() == []
