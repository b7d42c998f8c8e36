import msgspec
import pytest

from lsp_server.store.catalogue import load_catalogue
from lsp_server.store.reach import hub_reachable
from lsp_server.store.recommend import Machine, Measured, predicted_speed, recommend, suits
from tests.hub import Hub

GIB = 1024**3
CATALOGUE = load_catalogue()
STARTER_SIZE = 98_362_432


def machine(available: float, cores: int = 16, *, gpu: bool = False) -> Machine:
    return Machine(cores=cores, memory_available=int(available * GIB), gpu=gpu)


@pytest.mark.parametrize(
    ("speed", "memory", "name"),
    [
        (144.0, 12.0, "qwen2.5-coder-0.5b"),  # the development machine: 2 cores
        (300.0, 12.0, "qwen2.5-coder-1.5b"),
        (2000.0, 32.0, "qwen2.5-coder-7b"),
        (2000.0, 12.0, "qwen2.5-coder-1.5b"),  # fast enough for 7B, too little memory
        (2000.0, 2.0, "qwen2.5-coder-0.5b"),
    ],
)
def test_the_best_that_is_fast_enough_and_fits(speed, memory, name):
    best = recommend(machine(memory), ["smollm2-135m"], CATALOGUE, Measured(STARTER_SIZE, speed))
    assert best is not None
    assert best.name == name


@pytest.mark.parametrize(
    ("cores", "gpu", "name"),
    [
        (1, False, "qwen2.5-coder-0.5b"),
        (2, False, "qwen2.5-coder-0.5b"),
        (4, False, "qwen2.5-coder-1.5b"),
        (16, False, "qwen2.5-coder-7b"),
        (1, True, "qwen2.5-coder-7b"),
    ],
)
def test_cores_have_to_read_the_prompt_unless_a_gpu_does(cores, gpu, name):
    best = recommend(machine(64, cores, gpu=gpu), [], CATALOGUE, Measured(STARTER_SIZE, 2000.0))
    assert best is not None
    assert best.name == name


def test_memory_holds_weights_their_cache_and_the_model_that_still_serves():
    entry = CATALOGUE["qwen2.5-coder-0.5b"]
    measured = Measured(STARTER_SIZE, 144.0)
    needed = entry.size * 1.15 + STARTER_SIZE
    assert suits(Machine(2, int(2 * needed) + 2, gpu=False), entry, measured)
    assert not suits(Machine(2, int(2 * needed) - 2, gpu=False), entry, measured)


def test_nothing_where_nothing_is_fast_enough():
    assert recommend(machine(32), [], CATALOGUE, Measured(STARTER_SIZE, 40.0)) is None


def test_nothing_where_nothing_fits():
    assert recommend(machine(0.5), [], CATALOGUE, Measured(STARTER_SIZE, 2000.0)) is None


def test_nothing_where_the_best_or_a_larger_one_is_installed():
    measured = Measured(STARTER_SIZE, 144.0)
    assert recommend(machine(12), ["qwen2.5-coder-0.5b"], CATALOGUE, measured) is None
    assert recommend(machine(12), ["qwen2.5-coder-7b"], CATALOGUE, measured) is None


def test_a_non_commercial_licence_is_never_recommended():
    best = CATALOGUE["qwen2.5-coder-3b"]
    pushed = {best.name: msgspec.structs.replace(best, offered=True)}
    assert recommend(machine(64), [], pushed, Measured(STARTER_SIZE, 5000.0)) is None


def test_speed_scales_with_the_bytes_that_every_token_reads():
    entry = CATALOGUE["qwen2.5-coder-0.5b"]
    assert predicted_speed(entry, Measured(2 * entry.size, 10.0)) == pytest.approx(20.0)
    assert predicted_speed(CATALOGUE["codellama-7b"], Measured(1, 1.0)) is None


def test_this_machine_has_cores_and_memory():
    found = Machine.detect()
    assert found.cores >= 1
    assert found.memory_available > 0


def test_a_hub_that_answers_is_reachable(hub: Hub):
    assert hub_reachable()
    assert hub.log[0][:2] == ("HEAD", "/")


def test_a_hub_that_is_down_is_not(hub: Hub):
    hub.status = 503
    assert not hub_reachable()


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9", "http://no-such-host.invalid", "nonsense"]
)
def test_no_hub_is_no_error(monkeypatch, address):
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert not hub_reachable(timeout=2.0)


def test_offline_asks_nobody(hub: Hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not hub_reachable()
    assert hub.log == []
