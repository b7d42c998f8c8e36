"""An adapter goes from one store to another as one file, and a file that lies brings nothing in."""

import errno
import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import AdapterError, CorruptAdapterError, WrongBaseError
from lsp_server.store.adapters import AdapterRegistry, StoredAdapter, archive
from lsp_server.store.adapters.sharing import export_adapter, import_adapter
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import publish, publish_lora

Members = dict[str, bytes]


@pytest.fixture
def adapter(registry: AdapterRegistry, model: InstalledModel) -> StoredAdapter:
    return publish_lora(registry, model, 1)


@pytest.fixture
def elsewhere(model: InstalledModel, tmp_path: Path) -> tuple[AdapterRegistry, ModelStore]:
    """Another machine, with the same model under another name."""
    models = ModelStore(StorePaths(tmp_path / "another home"))
    models.import_file(tmp_path / "tiny.gguf", "renamed", "tenon-starter")
    return AdapterRegistry(RepositoryStore.of(models.paths, tmp_path / "clone")), models


def files_in(registry: AdapterRegistry) -> list[Path]:
    return [path for path in registry.repository.folder.rglob("*") if path.is_file()]


def test_what_is_exported_serves_elsewhere(
    adapter: StoredAdapter, elsewhere: tuple[AdapterRegistry, ModelStore], tmp_path: Path
):
    file = tmp_path / "team.tenon"
    assert export_adapter(adapter, file) == file.stat().st_size
    there, models = elsewhere
    taken = import_adapter(there, models, file)
    assert taken.verdict == "imported"
    assert (taken.sha256, taken.scale, taken.gate) == (adapter.sha256, adapter.scale, adapter.gate)
    assert [(part.adapter_id, part.verdict) for part in taken.parts] == [(adapter.id, "promoted")]
    assert (taken.path.parent / "gate.json").read_text("utf-8") == "{}"
    assert not (taken.path.parent / "archive.json").exists()
    assert there.automatic(adapter.base) is None  # never by itself
    there.activate(taken.id)
    assert there.active(adapter.base).adapter == taken
    assert import_adapter(there, models, file) == taken  # once more is no second one
    assert there.all() == [taken]


def test_a_rejected_one_is_still_rejected(
    registry: AdapterRegistry,
    model: InstalledModel,
    elsewhere: tuple[AdapterRegistry, ModelStore],
    tmp_path: Path,
):
    lost = msgspec.structs.replace(publish_lora(registry, model, 2), verdict="rejected")
    manifest = lost.path.parent / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"promoted"', '"rejected"'), "utf-8")
    export_adapter(lost, tmp_path / "x.tenon")
    taken = import_adapter(*elsewhere, tmp_path / "x.tenon")
    with pytest.raises(AdapterError, match="--force"):
        elsewhere[0].activate(taken.id)


def test_peft_comes_along_if_asked_for(
    adapter: StoredAdapter, elsewhere: tuple[AdapterRegistry, ModelStore], tmp_path: Path
):
    for name in archive.PEFT_MEMBERS:
        (adapter.path.parent / name).write_bytes(name.encode())
    export_adapter(adapter, tmp_path / "x.tenon", with_peft=True)
    taken = import_adapter(*elsewhere, tmp_path / "x.tenon")
    found = {path.name for path in (taken.path.parent / "peft").iterdir()}
    assert found == {"adapter_config.json", "adapter_model.safetensors"}


def test_without_its_base_the_base_is_named(
    adapter: StoredAdapter, registry: AdapterRegistry, tmp_path: Path
):
    export_adapter(adapter, tmp_path / "x.tenon")
    bare = ModelStore(StorePaths(tmp_path / "bare"))
    target = AdapterRegistry(RepositoryStore.of(bare.paths, tmp_path / "clone"))
    with pytest.raises(WrongBaseError, match="tenon models pull tiny"):
        import_adapter(target, bare, tmp_path / "x.tenon")
    assert not files_in(target)


def rewritten(file: Path, change: Callable[[Members], None]) -> None:
    """The archive anew, with a table that agrees with what is in it."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    table = json.loads(members.pop("archive.json"))
    change(members)
    table["files"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in members.items()
    }
    with zipfile.ZipFile(file, "w") as new:
        new.writestr("archive.json", json.dumps(table))
        for name, data in members.items():
            new.writestr(name, data)


def cut_weights(members: Members) -> None:
    """A truncated GGUF whose manifest and table know its checksum."""
    data = members["adapter.gguf"][:-500]
    manifest = json.loads(members["manifest.json"])
    digest = hashlib.sha256(data).hexdigest()
    manifest |= {"sha256": digest, "size": len(data), "id": f"{manifest['id'][:-8]}{digest[:8]}"}
    members |= {"adapter.gguf": data, "manifest.json": json.dumps(manifest).encode()}


def other_weights(members: Members) -> None:
    members["adapter.gguf"] = members["adapter.gguf"][:-4] + b"abcd"


def no_weights(members: Members) -> None:
    del members["adapter.gguf"]


def pickled(members: Members) -> None:
    members["peft/adapter_model.bin"] = b"\x80\x04."


def outside(members: Members) -> None:
    members["../../evil.py"] = b"import os"


def absolute(members: Members) -> None:
    members["/tmp/evil"] = b""


def bad_manifest(members: Members) -> None:
    members["manifest.json"] = b"{"


def wild_scale(members: Members) -> None:
    manifest = json.loads(members["manifest.json"]) | {"scale": 1e30}
    members["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (cut_weights, "truncated"),
        (other_weights, "contradicts its own manifest"),
        (no_weights, "adapter.gguf is missing"),
        (pickled, "which no adapter has"),
        (outside, "which no adapter has"),
        (absolute, "which no adapter has"),
        (bad_manifest, "cannot be read"),
        (wild_scale, "contradicts its own manifest"),
    ],
)
def test_a_file_that_lies_brings_nothing_in(
    adapter: StoredAdapter,
    elsewhere: tuple[AdapterRegistry, ModelStore],
    tmp_path: Path,
    change: Callable[[Members], None],
    why: str,
):
    file = tmp_path / "x.tenon"
    export_adapter(adapter, file)
    rewritten(file, change)
    with pytest.raises(CorruptAdapterError, match=why):
        import_adapter(*elsewhere, file)
    assert not files_in(elsewhere[0])


@pytest.mark.parametrize("cut", [0, 10, 1000, -1, -30])
def test_a_torn_file(
    adapter: StoredAdapter,
    elsewhere: tuple[AdapterRegistry, ModelStore],
    tmp_path: Path,
    cut: int,
):
    file = tmp_path / "x.tenon"
    export_adapter(adapter, file)
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(CorruptAdapterError, match="export"):
        import_adapter(*elsewhere, file)
    assert not files_in(elsewhere[0])


def test_a_byte_that_flipped_is_found(
    adapter: StoredAdapter, elsewhere: tuple[AdapterRegistry, ModelStore], tmp_path: Path
):
    file = tmp_path / "x.tenon"
    export_adapter(adapter, file)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptAdapterError):
        import_adapter(*elsewhere, file)


def zipped(file: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members:
            made.writestr(name, data)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_odd_archives(elsewhere: tuple[AdapterRegistry, ModelStore], tmp_path: Path):
    file = tmp_path / "x.tenon"
    link = zipfile.ZipInfo("adapter.gguf")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    oddities = {
        "twice": [("gate.json", b""), ("gate.json", b"")],
        "a link": [(link, b"/etc/passwd")],
        "claims to unpack": [("gate.json", b" " * 20_000_000)],
        "claims 2,000,000": [("manifest.json", b"x" * 2_000_000)],
        "archive.json is missing": [("gate.json", b"{}")],
        "does not name": [
            ("archive.json", b'{"format":1,"made_by":"x","files":{}}'),
            ("gate.json", b""),
        ],
        "cannot be read": [("archive.json", b"[]")],
    }
    for why, members in oddities.items():
        zipped(file, *members)
        with pytest.raises(CorruptAdapterError, match=why):
            import_adapter(*elsewhere, file)
    zipped(file, ("archive.json", b'{"format":2,"made_by":"9.9","files":{}}'))
    with pytest.raises(AdapterError, match="update Tenon"):
        import_adapter(*elsewhere, file)
    with pytest.raises(AdapterError, match="there is no file"):
        import_adapter(*elsewhere, tmp_path / "nothing.tenon")
    assert not files_in(elsewhere[0])


def test_what_a_newer_tenon_adds_is_passed_over(
    adapter: StoredAdapter, elsewhere: tuple[AdapterRegistry, ModelStore], tmp_path: Path
):
    def newer(members: Members) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest |= {"made_by": "99.0", "mood": ["good"], "verdict": "canonised"}
        manifest["gate"]["more"] = {"x": 1}
        members["manifest.json"] = json.dumps(manifest).encode()

    export_adapter(adapter, tmp_path / "x.tenon")
    rewritten(tmp_path / "x.tenon", newer)
    taken = import_adapter(*elsewhere, tmp_path / "x.tenon")
    assert taken.parts[0].verdict == "canonised"
    elsewhere[0].activate(taken.id)


def test_a_store_is_shared_with_a_newer_tenon(registry: AdapterRegistry):
    adapter = publish(registry, 0)
    path = adapter.path.parent / "manifest.json"
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(told | {"later": {"a": 1}, "verdict": "canonised"}), "utf-8")
    [found] = registry.all()
    assert (found.id, found.verdict, found.lost) == (adapter.id, "canonised", False)
    # And with an older one, that knew neither parts nor where a run started from.
    for name in ("parts", "started_from"):
        told.pop(name)
    path.write_text(json.dumps(told), "utf-8")
    assert registry.all() == [adapter]


def test_an_export_that_fails_leaves_what_was_there(
    adapter: StoredAdapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "x.tenon"
    file.write_bytes(b"before")

    def full(*_arguments: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(AdapterError, match="full"):
        export_adapter(adapter, file)
    assert file.read_bytes() == b"before"
    assert not list(tmp_path.glob(".*.tmp"))
