import hashlib
import os
import threading
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import CorruptModelError, UnknownModelError
from lsp_server.store import integrity
from lsp_server.store.catalogue import CatalogueEntry
from lsp_server.store.integrity import checksum
from lsp_server.store.models import ModelStore
from tests.gguf_files import write_gguf
from tests.starter import plain_file, starter_store


def change(path: Path, position: int = -1) -> None:
    """Flip one byte; the size stays."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_tampering_after_the_install_is_detected(store: ModelStore, tmp_path: Path):
    model = store.import_file(plain_file(), "copied")
    # A file of its own: an import may be a hard link to the shared starter.
    data = model.path.read_bytes()
    model.path.unlink()
    model.path.write_bytes(data)
    intact = store.verify(model)
    change(model.path)
    with pytest.raises(CorruptModelError, match="has changed since"):
        store.verify(intact)


def test_a_truncated_or_missing_file_is_detected(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    with model.path.open("rb+") as file:
        file.truncate(100)
    with pytest.raises(CorruptModelError, match=r"tenon models remove mine"):
        store.verify(model)
    model.path.unlink()
    with pytest.raises(CorruptModelError, match="cannot be read"):
        store.verify(model)


def test_a_touched_but_intact_file_is_checked_once(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    os.utime(model.path, ns=(1, 1))
    renewed = store.verify(model)
    assert renewed.fingerprint.mtime_ns == 1
    assert store.get("mine") == renewed


def tiny(file: Path) -> CatalogueEntry:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return CatalogueEntry(
        name="tiny", title="", license="MIT", params=1, fim="plain", sha256=digest
    )


def test_a_file_published_while_the_old_one_was_hashed_stays_recorded(
    store: ModelStore, tmp_path: Path, monkeypatch
):
    old, new = (write_gguf(tmp_path / f"{seed}.gguf", seed=seed) for seed in (1, 2))
    model = store.add(tiny(old), old)
    os.utime(model.path, ns=(1, 1))

    def hash_slowly(path: Path) -> str:
        digest = checksum(path)
        if path == model.path:
            store.add(tiny(new), new)
        return digest

    monkeypatch.setattr(integrity, "checksum", lambda path, _cancelled=None: hash_slowly(path))
    verified = store.verify(model)
    assert verified == store.get("tiny")
    assert verified.path.read_bytes() == new.read_bytes()


def test_a_check_does_not_wait_for_who_holds_the_model(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    os.utime(model.path, ns=(1, 1))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.locked("mine"):
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(5)
    assert store.verify(model).fingerprint.mtime_ns == 1
    done.set()
    holder.join()
    assert store.get("mine") == model  # nothing was written; the next check does


def test_who_holds_the_model_may_check_it(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    os.utime(model.path, ns=(1, 1))
    with store.locked("mine"):
        renewed = store.verify(model, held=True)
    assert store.get("mine") == renewed


def test_a_catalogue_file_is_checked_when_it_is_added(store: ModelStore, qwen: Path):
    entry = CatalogueEntry(
        name="tiny",
        title="Tiny",
        license="Apache-2.0",
        params=1,
        fim="plain",
        sha256=hashlib.sha256(qwen.read_bytes()).hexdigest(),
        size=qwen.stat().st_size,
    )
    added = store.add(entry, qwen)
    assert (added.license, added.fim, added.source) == ("Apache-2.0", "plain", "hub")
    assert qwen.is_file()
    with pytest.raises(CorruptModelError, match="bytes instead of"):
        store.add(msgspec.structs.replace(entry, size=1), qwen)
    with pytest.raises(CorruptModelError, match="sha256"):
        store.add(msgspec.structs.replace(entry, sha256="0" * 64), qwen)
    assert store.get("tiny") == added


def test_a_newer_file_replaces_the_older_one_in_one_step(store: ModelStore, tmp_path: Path):
    old, new = (write_gguf(tmp_path / f"{seed}.gguf", seed=seed) for seed in (1, 2))
    store.add(tiny(old), old)
    stop = threading.Event()
    broken: list[Exception] = []

    def look() -> None:
        while not stop.is_set():
            try:
                store.get("tiny")
            except UnknownModelError as error:
                broken.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    for file in [new, old] * 10:
        model = store.add(tiny(file), file)
        assert store.verify(model).path.read_bytes() == file.read_bytes()
    stop.set()
    reader.join()
    assert broken == []
    assert len(list((store.paths.models / "tiny").glob("*.gguf"))) == 1


def test_a_name_is_held_by_one_at_a_time(store: ModelStore):
    order: list[str] = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with store.locked("tiny"):
            order.append("second")

    thread = threading.Thread(target=second)
    with store.locked("tiny"):
        thread.start()
        entered.wait(5)
        thread.join(0.5)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_the_shared_starter_is_intact():
    store = starter_store()
    assert store.verify(store.get("smollm2-135m")).size == 98_362_432
