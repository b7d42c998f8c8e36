"""``tenon adapters`` in a shell: what it prints, what it changes, and what it refuses."""

import errno
import json
import os
from pathlib import Path

import pytest

from lsp_server.cli import main
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.manifest import InstalledModel
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import REJECTED, publish, publish_lora
from tests.git_repositories import Repository, repository
from tests.tiny_llama import write_llama


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StorePaths:
    monkeypatch.setenv("TENON_HOME", str(tmp_path / "home"))
    return StorePaths(tmp_path / "home")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    made = repository(tmp_path / "app")
    (made.root / "src").mkdir()
    monkeypatch.chdir(made.root / "src")
    return made


@pytest.fixture
def model(paths: StorePaths, tmp_path: Path) -> InstalledModel:
    models = ModelStore(paths)
    made = models.import_file(write_llama(tmp_path / "tiny.gguf"), "tiny", "tenon-starter")
    models.choose("tiny")
    return made


@pytest.fixture
def registry(paths: StorePaths, app: Repository) -> AdapterRegistry:
    return AdapterRegistry(RepositoryStore.of(paths, app.root))


class Shell:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, *words: str) -> str:
        self.capsys.readouterr()
        status = main(["adapters", *words])
        told = self.capsys.readouterr()
        assert status == 0, told.err
        return told.out

    def json(self, *words: str) -> dict[str, object]:
        return json.loads(self.run(*words, "--json"))

    def refused(self, *words: str) -> str:
        self.capsys.readouterr()
        assert main(["adapters", *words]) == 1
        return self.capsys.readouterr().err


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


def test_nothing_was_learnt_yet(paths: StorePaths, app: Repository, shell: Shell):
    assert "`tenon train` learns it" in shell.run("list")
    assert shell.json("list") == {
        "root": str(app.root), "repository": "app", "active": None, "adapters": [],
        "manual": False, "origin": "", "trouble": "",
    }  # fmt: skip
    assert not paths.root.exists()


def test_a_list_for_people_and_for_programs(
    registry: AdapterRegistry, model: InstalledModel, shell: Shell
):
    adapter, elsewhere = publish_lora(registry, model, 1), publish(registry, 2, REJECTED)
    registry.promote(adapter.id, 0.75)
    shell.run("tag", adapter.id, "v1", "--repo", str(registry.repository.root))
    assert shell.json("pin", adapter.id) == {"adapter": adapter.id, "pinned": True}
    first, *rows = shell.run("list").splitlines()
    assert first == f"app: {adapter.id} serves (auto)"
    assert rows[0].startswith(f"-  {elsewhere.id}  c0ffee  rejected  +0.080")
    assert rows[0].endswith("not usable now")
    assert rows[1].startswith(f"*  {adapter.id}")
    assert rows[1].endswith("tiny  v1, pinned")
    lines = shell.json("list")["adapters"]
    assert [(line["active"], line["usable"], line["tags"]) for line in lines] == [
        (False, False, []),
        (True, True, ["v1"]),
    ]
    assert [line["lost"] for line in lines] == [True, False]


def test_all_about_one(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    adapter = publish_lora(registry, model, 1)
    told = shell.run("show", adapter.id)
    for text in ("at c0ffee", "gain +0.0800 nats/token over 214 spans", "rank 4", "tiny", '"lora"'):
        assert text in told
    value = shell.json("show", adapter.id[:15])
    assert (value["id"], value["active"], value["gate"]["spans"]) == (adapter.id, False, 214)


def test_choosing(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    one, other = (publish_lora(registry, model, seed) for seed in (1, 2))
    assert "whatever is promoted" in shell.run("use", one.id, "--scale", "0.5")
    assert registry.active(model.identity).scale == 0.5
    assert "your choice" in shell.run("list")
    assert shell.json("use", "none")["active"] is None
    assert not registry.promote(one.id, 1.0)
    assert shell.json("use", "auto") == {
        "active": other.id, "scale": 0.75, "manual": False, "root": str(registry.repository.root),
    }  # fmt: skip
    assert shell.json("rollback")["active"] is None
    assert f"{one.id} at the scale 0.5" in shell.run("rollback")
    assert shell.json("rollback", other.id)["active"] == other.id
    assert "scale nan cannot serve" in shell.refused("use", one.id, "--scale", "nan")
    assert "there is no adapter 'nothing'" in shell.refused("use", "nothing")


def test_a_rejected_one_needs_force(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    adapter = publish_lora(registry, model, 1)
    manifest = adapter.path.parent / "manifest.json"
    manifest.write_text(manifest.read_text("utf-8").replace('"promoted"', '"rejected"'), "utf-8")
    assert "--force" in shell.refused("use", adapter.id)
    assert "a gate had rejected it: better" in shell.run("use", adapter.id, "--force")


def test_an_adapter_of_another_base(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    adapter = publish(registry, 1)
    for words in (("use", adapter.id), ("rollback", adapter.id)):
        assert "run `tenon models use tenon-starter` first" in shell.refused(*words)
    assert "which is not installed" in shell.refused("merge", adapter.id, "--output", "x.gguf")


def test_removing_and_names(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    one, other = (publish_lora(registry, model, seed) for seed in (1, 2))
    shell.run("tag", one.id, "old.one")
    assert "old.one is" not in shell.run("untag", "old.one")
    shell.run("tag", one.id, "old.one")
    shell.run("pin", "old.one")
    assert "unpin" in shell.refused("remove", "old.one")
    shell.run("unpin", "old.one")
    assert shell.json("remove", "old.one") == {"removed": one.id}
    assert registry.all() == [other]


def test_a_damaged_choice_is_told(registry: AdapterRegistry, model: InstalledModel, shell: Shell):
    adapter = publish_lora(registry, model, 1)
    registry.repository.active_json.write_text("{", "utf-8")
    assert "cannot be read" in shell.run("list")
    assert "cannot be read" in shell.json("list")["trouble"]
    shell.run("use", "auto")
    assert registry.active(model.identity).adapter == adapter


def test_passing_on_and_putting_together(
    registry: AdapterRegistry,
    model: InstalledModel,
    app: Repository,
    shell: Shell,
    tmp_path: Path,
):
    mine, theirs = (publish_lora(registry, model, seed) for seed in (1, 2))
    file = tmp_path / "team.tenon"
    assert shell.json("export", theirs.id, str(file))["size"] == file.stat().st_size
    assert "--force to replace" in shell.refused("export", theirs.id, str(file))
    shell.run("export", theirs.id, str(file), "--force")
    assert "lies in none" in shell.refused("export", theirs.id, str(tmp_path / "no" / "x.tenon"))
    registry.remove(theirs.id)
    taken = shell.json("import", str(file))
    assert (taken["new"], taken["verdict"]) == (True, "imported")
    assert shell.json("import", str(file))["new"] is False
    made = shell.json("compose", mine.id, f"{taken['adapter']}=0.5")
    assert made["rank"] == 8
    assert "has no scale" in shell.refused("compose", mine.id, f"{taken['adapter']}=x")
    assert "two adapters" in shell.refused("compose", mine.id)
    assert f"{mine.id} of app, x 0.75 (promoted)" in shell.run("show", str(made["adapter"]))
    output = tmp_path / "all.gguf"
    whole = shell.json("merge", str(made["adapter"]), "--output", str(output), "--type", "q8_0")
    assert (whole["type"], whole["size"]) == ("Q8_0", output.stat().st_size)
    assert "cannot be written" in shell.refused(
        "merge", mine.id, "--output", str(output), "--type", "Q4_K"
    )


def test_from_a_worktree_it_is_the_main_checkouts(
    registry: AdapterRegistry,
    model: InstalledModel,
    app: Repository,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
):
    app.commit({"a.py": "a = 1\n"})
    worktree = app.root.with_name("w")
    app.git("worktree", "add", "--quiet", str(worktree), "-b", "other")
    adapter = publish_lora(registry, model, 1)
    registry.promote(adapter.id, 1.0)
    monkeypatch.chdir(worktree)
    assert f"app, of {app.root}, which it belongs to: {adapter.id} serves" in shell.run("list")
    # It can do without them by itself, and has them again.
    assert shell.json("use", "none")["root"] == str(worktree)
    assert registry.active(model.identity).adapter == adapter
    told = shell.json("use", "auto")
    assert (told["active"], told["root"]) == (adapter.id, str(app.root))
    for words in (("use", adapter.id), ("rollback", adapter.id)):
        assert "the base alone serves w, " in shell.run("use", "none")
        listed = shell.json("list")
        assert (listed["active"], [line["id"] for line in listed["adapters"]]) \
            == (None, [adapter.id])  # fmt: skip
        assert shell.json("show", adapter.id)["active"] is False
        told = shell.json(*words)
        assert (told["active"], told["root"]) == (adapter.id, str(app.root))
        assert shell.json("list")["active"] == adapter.id
    assert "is no folder" in shell.refused("list", "--repo", str(worktree / "nothing"))


def test_a_store_that_can_only_be_read(
    registry: AdapterRegistry,
    model: InstalledModel,
    shell: Shell,
    monkeypatch: pytest.MonkeyPatch,
):
    adapter = publish_lora(registry, model, 1)
    registry.promote(adapter.id, 1.0)
    really = os.open

    def read_only(path: str, flags: int, *more: int, **named: object) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return really(path, flags, *more, **named)

    monkeypatch.setattr(os, "open", read_only)
    assert adapter.id in shell.run("list")
    assert adapter.id in shell.run("show", adapter.id)
    for words in (("use", "none"), ("rollback",), ("pin", adapter.id), ("remove", adapter.id)):
        assert "Read-only file system" in shell.refused(*words)
    assert registry.active(model.identity).adapter == adapter
