import errno
import hashlib
import shutil
from pathlib import Path

import pytest

from lsp_server.errors import (
    CorruptModelError,
    ModelError,
    UnknownFormatError,
    UnknownModelError,
)
from lsp_server.store.manifest import is_valid_name, name_from
from lsp_server.store.models import ModelStore
from tests.gguf_files import PLAIN_TOKENS, QWEN_TOKENS, write_gguf
from tests.starter import plain_file


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
    model = store.import_file(plain_file(), "other-name")
    assert (model.name, model.fim, model.license) == ("other-name", "plain", "Apache-2.0")
    assert model.context == 8192
    assert store.import_file(plain_file()).name == "smollm2-135m"


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
