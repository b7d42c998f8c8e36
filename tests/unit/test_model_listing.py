"""What an editor offers as models: the catalogue and the store, with what a user should know."""

from lsp_server.model_listing import NONCOMMERCIAL, model_lines
from lsp_server.store.catalogue import STARTER, load_catalogue
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.gguf_files import write_gguf
from tests.tiny_llama import write_llama


def test_without_any_model_there_is_the_catalogue(tmp_path):
    catalogue = load_catalogue()
    lines = model_lines(StorePaths(tmp_path / "home"))
    assert [line.name for line in lines] == list(catalogue)
    assert not any(line.installed or line.chosen for line in lines)
    assert STARTER in catalogue
    for line in lines:
        entry = catalogue[line.name]
        assert (line.size, line.licence) == (entry.size or 0, entry.license or "")
        assert (NONCOMMERCIAL in line.note) == entry.noncommercial


def test_installed_ones_come_first_and_say_what_they_cannot(tmp_path):
    store = ModelStore(StorePaths(tmp_path / "home"))
    tiny = store.import_file(write_llama(tmp_path / "tiny.gguf"), "tiny", "plain")
    store.import_file(write_gguf(tmp_path / "g.gguf", architecture="gemma"), "odd")
    store.choose("tiny")
    first, second, *rest = model_lines(store.paths)
    by_name = {line.name: line for line in (first, second)}
    assert set(by_name) == {"odd", "tiny"}
    assert by_name["tiny"].chosen
    assert by_name["tiny"].trainable
    assert by_name["tiny"].size == tiny.size
    assert by_name["tiny"].note == ""
    assert not by_name["odd"].trainable
    assert "cannot be trained over" in by_name["odd"].note
    assert "gemma" in by_name["odd"].note
    assert not any(line.installed for line in rest)
