"""Adapters appear whole or not at all, and the one that serves goes on whatever happens."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from lsp_server import __version__
from lsp_server.errors import (
    AdapterError,
    CorruptAdapterError,
    UnknownAdapterError,
    WrongBaseError,
)
from lsp_server.store.adapters import AdapterRegistry, shelf
from lsp_server.store.adapters.manifest import base_identity
from lsp_server.store.adapters.retention import KEPT_REJECTED
from lsp_server.store.locks import Holder
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import BASE, FACTS, NOON, REJECTED, make_candidate, publish

# Publishes and activates in a child that is killed before its n-th change of the disk, for every n.
KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
import msgspec
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.adapters.manifest import AdapterFacts
from lsp_server.store.integrity import checksum
from lsp_server.store.repositories import RepositoryStore

template, base, facts = Path(sys.argv[1]), sys.argv[2], sys.argv[3].encode()
facts = msgspec.json.decode(facts, type=AdapterFacts)
WATCHED = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir"}

def child(registry, candidate, step):
    left = step
    def hook(event, _arguments):
        nonlocal left
        if event in WATCHED:
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
    sys.addaudithook(hook)
    adapter = registry.publish(candidate, facts)
    registry.activate(adapter.id, 0.75)
    os._exit(0)

old = None
for step in range(1000):
    work = template.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(template, work)
    registry = AdapterRegistry(RepositoryStore(Path("app"), work / "store"))
    old = old or registry.active(base).adapter.id
    pid = os.fork()
    if not pid:
        child(registry, work / "candidate", step)
    _, status = os.waitpid(pid, 0)
    adapters = registry.all()
    assert all(checksum(entry.path) == entry.sha256 for entry in adapters), step
    assert all((entry.path.parent / "peft" / "a.json").is_file() for entry in adapters), step
    active = registry.active(base)
    assert active.adapter.id == old or active.adapter in adapters, step
    # Nothing that was trained is lost: it is still there, or published.
    assert (work / "candidate" / "adapter.gguf").is_file() or len(adapters) == 2, step
    if not status:
        assert active.adapter.id != old
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    # What was left is in nobody's way.
    if len(adapters) == 1:
        registry.publish(work / "candidate", facts)
    assert not list((work / "store" / "adapters").glob(".publishing-*")), step
    assert len(registry.all()) == 2, step
else:
    raise AssertionError("never came through")
print(step)
"""


# Publishes and promotes as fast as it can, beside others that do so too.
ONE_OF_MANY = """
import sys
from pathlib import Path
from lsp_server.store.adapters import AdapterRegistry
from lsp_server.store.repositories import RepositoryStore
from tests.adapters import publish

registry = AdapterRegistry(RepositoryStore(Path("app"), Path(sys.argv[1])))
for number in range(3):
    adapter = publish(registry, int(sys.argv[2]) * 10 + number)
    assert registry.promote(adapter.id, 1.0)
    registry.tag(adapter.id, "newest")
"""


@pytest.fixture
def registry(tmp_path: Path) -> AdapterRegistry:
    paths = StorePaths(tmp_path / "home")
    return AdapterRegistry(RepositoryStore.of(paths, tmp_path / "app"))


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    return make_candidate(tmp_path / "candidate")


def test_a_published_adapter_is_whole_and_says_what_it_is(
    registry: AdapterRegistry, candidate: Path
):
    adapter = registry.publish(candidate, FACTS, NOON)
    digest = hashlib.sha256(b"GGUF one").hexdigest()
    assert adapter.id == f"20260102T120000Z-{digest[:8]}"
    assert (adapter.sha256, adapter.size) == (digest, 8)
    assert adapter.path == registry.repository.adapters / adapter.id / "adapter.gguf"
    assert (adapter.path.parent / "peft" / "a.json").is_file()
    assert (adapter.base, adapter.made_by, adapter.created) == (BASE, __version__, NOON)
    assert registry.all() == [adapter] == [registry.read(adapter.id)]
    assert not candidate.exists()
    assert registry.active(BASE) is None
    told = json.loads((adapter.path.parent / "manifest.json").read_text("utf-8"))
    assert told["recipe"] == {"method": "lora", "rank": 8}
    assert "path" not in told


def test_what_is_activated_serves_at_its_scale(registry: AdapterRegistry, candidate: Path):
    adapter = registry.publish(candidate, FACTS)
    registry.activate(adapter.id, 0.75)
    active = registry.active(BASE)
    assert (active.adapter, active.scale) == (adapter, 0.75)
    told = json.loads(registry.repository.active_json.read_text("utf-8"))
    assert (told["adapter_id"], told["scale"]) == (adapter.id, 0.75)
    registry.deactivate()
    assert registry.active(BASE) is None


def test_an_adapter_of_another_base_is_refused(registry: AdapterRegistry, candidate: Path):
    adapter = registry.publish(candidate, FACTS)
    registry.activate(adapter.id, 1.0)
    with pytest.raises(WrongBaseError, match="tenon models use tenon-starter"):
        registry.active("a" * 64)
    assert registry.active(BASE).adapter == adapter


@pytest.mark.parametrize("damage", [b"GGUF two", b"GGUF", None])
def test_a_damaged_file_is_not_served(
    registry: AdapterRegistry, candidate: Path, damage: bytes | None
):
    adapter = registry.publish(candidate, FACTS)
    registry.activate(adapter.id, 1.0)
    adapter.path.unlink()
    if damage is not None:
        adapter.path.write_bytes(damage)
    with pytest.raises(CorruptAdapterError, match="train again"):
        registry.active(BASE)
    with pytest.raises(CorruptAdapterError):
        registry.activate(adapter.id, 1.0)


def test_a_file_that_was_only_touched_is_served(registry: AdapterRegistry, candidate: Path):
    adapter = registry.publish(candidate, FACTS)
    registry.activate(adapter.id, 1.0)
    os.utime(adapter.path, (1, 1))
    assert registry.active(BASE).adapter == adapter


def test_a_rejected_adapter_is_kept_but_not_activated(registry: AdapterRegistry):
    old = publish(registry, 0)
    registry.activate(old.id, 1.0)
    lost = publish(registry, 1, REJECTED)
    with pytest.raises(AdapterError, match="lost against what served"):
        registry.activate(lost.id, 1.0)
    assert registry.active(BASE).adapter == old
    assert registry.all() == [lost, old]


def test_the_last_rejected_ones_are_kept_and_every_promoted_one(registry: AdapterRegistry):
    promoted = [publish(registry, number) for number in range(4)]
    rejected = [publish(registry, number, REJECTED) for number in range(4, 9)]
    assert registry.all() == [*rejected[: -KEPT_REJECTED - 1 : -1], *promoted[::-1]]
    assert not list(registry.repository.adapters.glob(".removing-*"))


def test_what_one_can_go_back_to(registry: AdapterRegistry):
    first, second = publish(registry, 0), publish(registry, 1)
    publish(registry, 2, msgspec.structs.replace(FACTS, base="a" * 64))
    publish(registry, 3, REJECTED)
    assert registry.rollback_candidates(BASE) == [second, first]
    registry.activate(second.id, 1.0)
    assert registry.rollback_candidates(BASE) == [first]


def test_the_order_is_that_of_publication_whatever_the_clock_says(registry: AdapterRegistry):
    first = publish(registry, 0)
    second = publish(registry, -600)
    assert registry.all() == [second, first]
    assert second.created > first.created


@pytest.mark.parametrize("name", ["", "..", "../x", "20260102T120000Z-00000000", "x/../y"])
def test_a_name_that_is_no_adapter(registry: AdapterRegistry, name: str):
    with pytest.raises(UnknownAdapterError, match="tenon train"):
        registry.read(name)
    with pytest.raises(UnknownAdapterError):
        registry.activate(name, 1.0)


def test_a_folder_without_a_readable_manifest_is_no_adapter(registry: AdapterRegistry):
    adapter = publish(registry, 0)
    shutil.copytree(adapter.path.parent, registry.repository.adapters / f"{adapter.id[:-1]}0")
    assert registry.all() == [adapter]
    (adapter.path.parent / "manifest.json").write_text("{", "utf-8")
    assert registry.all() == []


def test_a_damaged_choice_is_told(registry: AdapterRegistry):
    publish(registry, 0)
    registry.repository.active_json.write_text("{", "utf-8")
    with pytest.raises(AdapterError, match="remove it"):
        registry.active(BASE)
    # Others can be published all the same, and one of them activated.
    adapter = publish(registry, 1)
    registry.activate(adapter.id, 1.0)
    assert registry.active(BASE).adapter == adapter


def test_a_candidate_without_a_file_is_refused(registry: AdapterRegistry, tmp_path: Path):
    with pytest.raises(AdapterError, match="holds no adapter"):
        registry.publish(tmp_path, FACTS)


FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("owner", "call"),
    [(shutil, "copytree"), (Path, "replace"), (os, "fsync"), (Path, "rename")],
)
@pytest.mark.parametrize("error", [FULL, OSError(errno.EIO, "bad disk")])
def test_a_disk_that_fails_publishes_nothing_and_loses_nothing(
    registry: AdapterRegistry, candidate: Path, owner: object, call: str, error: OSError
):
    old = publish(registry, 0)
    registry.activate(old.id, 1.0)

    def fail(*_arguments, **_named):
        raise error

    expected = AdapterError if error is FULL else OSError
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, call, fail)
        with pytest.raises(expected):
            registry.publish(candidate, FACTS)
    assert registry.all() == [old]
    assert registry.active(BASE).adapter == old
    assert (candidate / "adapter.gguf").read_bytes() == b"GGUF one"
    assert not list(registry.repository.adapters.glob(".publishing-*"))
    assert registry.publish(candidate, FACTS) in registry.all()


def test_an_activation_that_fails_leaves_the_old_one(
    registry: AdapterRegistry, monkeypatch: pytest.MonkeyPatch
):
    old, new = publish(registry, 0), publish(registry, 1)
    registry.activate(old.id, 0.5)

    def fail(*_arguments):
        raise FULL

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        registry.activate(new.id, 1.0)
    active = registry.active(BASE)
    assert (active.adapter, active.scale) == (old, 0.5)


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_at_any_step_nothing_is_half_published(tmp_path: Path):
    template = tmp_path / "template"
    registry = AdapterRegistry(RepositoryStore(tmp_path / "app", template / "store"))
    old = publish(registry, 0)
    registry.activate(old.id, 1.0)
    make_candidate(template / "candidate", b"GGUF new")
    facts = msgspec.json.encode(FACTS).decode()
    command = [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(template), BASE, facts]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_many_processes_change_one_store(tmp_path: Path):
    store = RepositoryStore(tmp_path / "app", tmp_path / "store")
    registry = AdapterRegistry(store)
    commands = [
        [sys.executable, "-c", ONE_OF_MANY, str(store.folder), str(number)] for number in range(3)
    ]
    children = [
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands
    ]
    for child in children:
        _, said = child.communicate()
        assert child.returncode == 0, said
    adapters = registry.all()
    assert len({adapter.created for adapter in adapters}) == len(adapters) == 9
    assert registry.active(BASE).adapter in adapters
    assert len(registry.choice().history) == 9  # no change was lost
    assert len([entry for entry in adapters if registry.marks(entry).tags == ("newest",)]) == 1


def test_while_a_candidate_is_copied_nobody_waits_for_it(
    registry: AdapterRegistry, candidate: Path, monkeypatch: pytest.MonkeyPatch
):
    """A run may be stopped in the middle of that for as long as somebody types."""
    really, looked = shutil.copytree, []

    def copy(*arguments: object) -> object:
        with FileLock(registry.repository.adapters / ".lock", timeout=0):
            looked.append(True)
        return really(*arguments)

    monkeypatch.setattr(shutil, "copytree", copy)
    adapter = registry.publish(candidate, FACTS)
    assert looked
    assert registry.all() == [adapter]


def test_a_copy_that_is_not_what_was_copied_is_not_published(
    registry: AdapterRegistry, candidate: Path, monkeypatch: pytest.MonkeyPatch
):
    really = shutil.copytree

    def copy(source: Path, target: Path, *more: object) -> None:
        really(source, target, *more)
        Path(target, "adapter.gguf").write_bytes(b"GGUF two")

    monkeypatch.setattr(shutil, "copytree", copy)
    with pytest.raises(CorruptAdapterError, match="check that disk"):
        registry.publish(candidate, FACTS)
    assert registry.all() == []
    assert not list(registry.repository.adapters.glob(".publishing-*"))
    assert (candidate / "adapter.gguf").read_bytes() == b"GGUF one"


@pytest.fixture
def publisher(registry: AdapterRegistry) -> Iterator[tuple[int, Path]]:
    """Another process that is publishing, and its copy."""
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        began = Holder.of(process.pid).started
        name = f".publishing-{process.pid}-{began:.0f}-abc"
        copy = make_candidate(registry.repository.adapters / name)
        yield process.pid, copy
        process.kill()


def test_who_holds_the_adapters_for_long_is_named(
    registry: AdapterRegistry, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
):
    adapter = publish(registry, 0)
    monkeypatch.setattr(shelf, "LOCK_SECONDS", 0.1)
    changes = (registry.deactivate, lambda: registry.promote(adapter.id, 1.0), registry.automatic)
    with FileLock(registry.repository.adapters / ".lock"):
        for change in changes:
            with pytest.raises(AdapterError, match=r"another process has held the adapters of app"):
                change()
        number, _ = request.getfixturevalue("publisher")
        with pytest.raises(AdapterError, match=rf"the process {number}, which publishes.*end it"):
            registry.deactivate()
    registry.deactivate()


def test_only_copies_of_processes_that_are_gone_are_removed(
    registry: AdapterRegistry, publisher: tuple[int, Path]
):
    number, copy = publisher
    folder = registry.repository.adapters
    names = (
        ".publishing-20260102T120000Z-00000000",
        f".publishing-{number}-1000000000-abc",
        ".removing-x",
    )
    left = [make_candidate(folder / name) for name in names]
    publish(registry, 0)
    assert copy.is_dir()
    assert not [path for path in left if path.exists()]


def test_a_base_is_its_file_or_what_it_was_made_of(store: ModelStore, qwen: Path):
    model = store.import_file(qwen, "plain")
    assert base_identity(store, "plain", model.sha256) == model.sha256
    assert base_identity(store, "elsewhere", "e" * 64) == "e" * 64
    assert base_identity(store, "plain", "e" * 64) == "e" * 64
