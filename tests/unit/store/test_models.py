import errno
import hashlib
import os
import shutil
import threading
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import (
    CorruptModelError,
    ModelError,
    UnknownFormatError,
    UnknownModelError,
)
from lsp_server.store.catalogue import CatalogueEntry
from lsp_server.store.manifest import is_valid_name, name_from
from lsp_server.store.models import ModelStore
from tests.gguf_files import PLAIN_TOKENS, QWEN_TOKENS, write_gguf
from tests.starter import starter_file, starter_store


@pytest.fixture
def qwen(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "My Qwen (v2).gguf", architecture="qwen2")


def change(path: Path, position: int = -1) -> None:
    """Flip one byte; the size stays."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_an_imported_file_is_listed_with_its_facts(store: ModelStore, qwen: Path):
    store.import_file(qwen)
    (model,) = store.installed()
    assert model.name == "my-qwen-v2"
    assert model.fim == "qwen2.5-coder"
    assert model.context == 2048
    assert model.license == "mit"
    assert model.architecture == "qwen2"
    assert model.trainable
    assert model.source == "file"
    assert model.sha256 == hashlib.sha256(qwen.read_bytes()).hexdigest()
    assert model.path.read_bytes() == qwen.read_bytes()
    assert store.verify(model) == model


def test_an_empty_store_has_nothing(store: ModelStore):
    assert store.installed() == []
    assert store.chosen() is None


def test_the_original_may_go_after_an_import(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "kept")
    qwen.unlink()
    assert store.verify(model).path.is_file()


def test_an_unsupported_architecture_serves_but_says_why_it_cannot_be_trained(
    store: ModelStore, tmp_path: Path
):
    model = store.import_file(write_gguf(tmp_path / "g.gguf", architecture="gemma"))
    assert not model.trainable
    assert "gemma" in (model.untrainable_reason or "")


def test_the_starter_is_known_by_its_content(store: ModelStore):
    model = store.import_file(starter_file(), "other-name")
    assert (model.name, model.fim, model.license) == ("other-name", "plain", "Apache-2.0")
    assert model.context == 8192
    assert store.import_file(starter_file()).name == "smollm2-135m"


def test_an_unrecognised_format_is_asked_for(store: ModelStore, tmp_path: Path):
    file = write_gguf(tmp_path / "m.gguf", tokens=PLAIN_TOKENS)
    with pytest.raises(UnknownFormatError, match=r"--fim.*plain.*qwen2\.5-coder"):
        store.import_file(file)
    assert store.installed() == []
    assert store.import_file(file, fim="plain").fim == "plain"


def test_a_format_that_does_not_exist_or_fit_is_refused(store: ModelStore, tmp_path: Path):
    file = write_gguf(tmp_path / "m.gguf", tokens=PLAIN_TOKENS)
    with pytest.raises(UnknownFormatError, match="there is no format 'qwen'"):
        store.import_file(file, fim="qwen")
    with pytest.raises(UnknownFormatError, match=r"has no token <\|fim_prefix\|>"):
        store.import_file(file, fim="qwen2.5-coder")


def test_a_format_may_be_given_although_one_is_recognised(store: ModelStore, qwen: Path):
    assert store.import_file(qwen, fim="plain").fim == "plain"


def test_a_corrupt_file_is_not_imported(store: ModelStore, qwen: Path):
    qwen.write_bytes(qwen.read_bytes()[:-100])
    with pytest.raises(CorruptModelError, match="truncated"):
        store.import_file(qwen)
    assert store.installed() == []


def test_a_missing_file_is_told(store: ModelStore, tmp_path: Path):
    with pytest.raises(ModelError, match="there is no file"):
        store.import_file(tmp_path / "nothing.gguf")


def test_a_taken_name_is_refused(store: ModelStore, qwen: Path):
    store.import_file(qwen, "mine")
    with pytest.raises(ModelError, match="tenon models remove mine"):
        store.import_file(qwen, "mine")


def test_a_name_of_the_catalogue_is_kept_for_its_file(store: ModelStore, qwen: Path):
    with pytest.raises(ModelError, match="another --name"):
        store.import_file(qwen, "qwen2.5-coder-1.5b")


@pytest.mark.parametrize(
    "name", ["../evil", "..", ".", "a/b", "a\\b", "/etc", "C:x", "con", "nul.txt", "Big", "a.", "",
             "a b", "x" * 65, ".partial"],
)  # fmt: skip
def test_names_that_leave_the_folder_or_break_windows_are_refused(
    store: ModelStore, qwen: Path, name: str
):
    assert not is_valid_name(name)
    with pytest.raises(UnknownModelError):
        store.get(name)
    with pytest.raises(UnknownModelError):
        store.remove(name)
    if name:
        with pytest.raises(ModelError, match="cannot be a model's name"):
            store.import_file(qwen, name)


@pytest.mark.parametrize("text", ["Big Model", "..", "con", "a/b", "模型", "x" * 100, "a." * 40])
def test_a_suggested_name_is_always_usable(text: str):
    assert is_valid_name(name_from(text))


def test_a_manifest_cannot_point_outside_its_folder(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    manifest = model.path.parent / "model.json"
    manifest.write_text(manifest.read_text().replace(model.file, "../../../etc/passwd"))
    assert store.get("mine").path == model.path.parent / "passwd"


def test_a_folder_without_a_readable_manifest_is_no_model(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "mine")
    (model.path.parent / "model.json").write_text("{")
    assert store.installed() == []


def test_an_unknown_name_gets_a_suggestion(store: ModelStore, qwen: Path):
    store.import_file(qwen, "my-qwen")
    with pytest.raises(UnknownModelError, match="did you mean my-qwen"):
        store.get("my-qwem")
    with pytest.raises(UnknownModelError, match=r"qwen2\.5-coder-0\.5b"):
        store.get("qwen2.5-coder-0.5")
    with pytest.raises(UnknownModelError, match="tenon models pull starcoder2-3b"):
        store.get("starcoder2-3b")


def test_a_choice_is_kept(store: ModelStore, qwen: Path):
    store.import_file(qwen, "mine")
    store.choose("mine")
    assert ModelStore(store.paths).chosen() == "mine"
    with pytest.raises(UnknownModelError):
        store.choose("other")
    assert store.chosen() == "mine"


def test_removing_the_chosen_model_leaves_none_chosen(store: ModelStore, qwen: Path):
    store.import_file(qwen, "mine")
    kept = store.import_file(qwen, "kept")
    store.choose("mine")
    store.remove("mine")
    assert store.chosen() is None
    assert [model.name for model in store.installed()] == ["kept"]
    assert store.verify(kept).path.is_file()
    assert not (store.paths.models / "mine").exists()


def test_removing_another_model_keeps_the_choice(store: ModelStore, qwen: Path):
    store.import_file(qwen, "mine")
    store.import_file(qwen, "other")
    store.choose("mine")
    store.remove("other")
    assert store.chosen() == "mine"


def test_tampering_after_the_install_is_detected(store: ModelStore, tmp_path: Path):
    model = store.import_file(starter_file(), "copied")
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
    def entry(file: Path) -> CatalogueEntry:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        return CatalogueEntry(
            name="tiny", title="", license="MIT", params=1, fim="plain", sha256=digest
        )

    old, new = (write_gguf(tmp_path / f"{seed}.gguf", seed=seed) for seed in (1, 2))
    store.add(entry(old), old)
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
        model = store.add(entry(file), file)
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


def test_the_vocabulary_decides_and_the_name_helps(store: ModelStore, tmp_path: Path):
    tokens = ["<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>", *QWEN_TOKENS[4:]]
    file = write_gguf(tmp_path / "m.gguf", tokens=tokens, name="Mellum 4b base")
    assert store.import_file(file).fim == "mellum"


def test_a_file_on_another_disk_is_copied(store: ModelStore, qwen: Path, monkeypatch):
    def refuse(_self: Path, _target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    model = store.import_file(qwen, "mine")
    assert not model.path.samefile(qwen)
    assert store.verify(model).path.read_bytes() == qwen.read_bytes()


def test_a_full_disk_on_import_is_told_and_leaves_nothing(
    store: ModelStore, qwen: Path, monkeypatch
):
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "hardlink_to", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ModelError, match=r"is full.*TENON_HOME"):
        store.import_file(qwen, "mine")
    assert store.installed() == []
