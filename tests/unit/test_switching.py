"""A repository's adapters as its user changes them: real stores, worktrees and manifests."""

import pytest

from lsp_server.completion.engine import EngineInfo
from lsp_server.errors import AdapterError, UnknownAdapterError, WrongBaseError
from lsp_server.prompt.formats import FORMATS
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from lsp_server.switching import Switch
from tests.adapters import BASE, REJECTED, publish
from tests.git_repositories import repository
from tests.tiny_llama import write_llama

OTHER = "c" * 64


@pytest.fixture
def paths(tmp_path):
    return StorePaths(tmp_path / "home")


@pytest.fixture
def app(tmp_path):
    made = repository(tmp_path / "app")
    made.commit({"a.py": "a = 1\n"})
    return made


@pytest.fixture
def registry(paths, app):
    return AdapterRegistry(RepositoryStore.of(paths, app.root))


@pytest.fixture
def switch(paths, app):
    return Switch(paths, app.root, BASE)


def serves(registry):
    active = registry.active(BASE)
    return active.adapter.id if active else None


def test_the_base_is_what_the_engine_serves(paths, app, tmp_path):
    def of(info):
        return Switch.of(paths, str(app.root), info).base

    model = ModelStore(paths).import_file(write_llama(tmp_path / "tiny.gguf"), "tiny", "plain")
    info = EngineInfo("tiny", FORMATS["plain"], 512, 1.0, 1.0, sha256=model.sha256)
    assert of(info) == model.identity
    assert of(EngineInfo("gone", FORMATS["plain"], 512, 1.0, 1.0, sha256=OTHER)) == OTHER
    assert of(EngineInfo("silent", FORMATS["plain"], 512, 1.0, 1.0)) is None
    assert of(None) is None


def test_an_adapter_is_chosen_by_id_or_tag_and_left_again(switch, registry):
    first, second = (publish(registry, number) for number in (1, 2))
    registry.tag(second.id, "team")
    switch.activate(first.id)
    assert serves(registry) == first.id
    switch.activate("team")
    assert serves(registry) == second.id
    assert switch.rollback() == first.id
    switch.activate("")
    assert serves(registry) is None
    assert switch.rollback() == first.id
    assert switch.rollback() is None


def test_auto_is_the_newest_that_was_promoted_over_this_base(switch, registry):
    first, second = (publish(registry, number) for number in (1, 2))
    switch.activate(first.id)
    switch.activate("auto")
    assert serves(registry) == second.id
    assert not switch.listed().manual


def test_what_cannot_serve_changes_nothing(switch, registry):
    good, lost = publish(registry, 1), publish(registry, 2, REJECTED)
    switch.activate(good.id)
    with pytest.raises(UnknownAdapterError):
        switch.activate("20200101T000000Z-00000000")
    with pytest.raises(AdapterError):
        switch.activate(lost.id)
    assert serves(registry) == good.id


def test_an_adapter_of_another_model_is_refused_by_that_models_name(paths, app, registry):
    adapter = publish(registry, 1)
    with pytest.raises(WrongBaseError, match="tenon models use tenon-starter"):
        Switch(paths, app.root, OTHER).activate(adapter.id)
    assert serves(registry) is None
    Switch(paths, app.root, None).activate(adapter.id)  # nobody knows what serves
    assert serves(registry) == adapter.id


def test_nothing_to_go_back_to_is_said(switch):
    with pytest.raises(AdapterError):
        switch.rollback()


def test_a_worktree_lists_and_chooses_among_the_main_checkouts(paths, app, registry, tmp_path):
    app.git("worktree", "add", "--quiet", str(tmp_path / "w"), "-b", "other")
    first, second = (publish(registry, number) for number in (1, 2))
    registry.activate(first.id)
    beside = Switch(paths, tmp_path / "w", BASE)
    listed = beside.listed()
    assert listed.origin == f"of {app.root}, which it belongs to"
    assert [line.id for line in listed.adapters] == [second.id, first.id]
    beside.activate(second.id)  # there, where it lies: a worktree has no file of it
    assert serves(registry) == second.id
    beside.activate("")  # of the worktree alone
    assert serves(registry) == second.id
    listed = beside.listed()
    assert (listed.active, listed.manual) == (None, True)
    assert [line.id for line in listed.adapters] == [second.id, first.id]
    assert not any(line.active for line in listed.adapters)
    beside.activate(first.id)  # no dead end: it has what it could have before
    assert beside.listed().active == serves(registry) == first.id
    assert not AdapterRegistry(RepositoryStore.of(paths, tmp_path / "w")).choice()
    beside.activate("")
    beside.activate("auto")  # undoes the worktree's choice, then what it chose for all
    assert beside.listed().manual
    registry.activate(first.id)
    beside.activate("auto")
    assert serves(registry) == second.id
    assert not beside.listed().manual
