import pytest

from lsp_server.errors import EngineRequestError, SettingsError
from lsp_server.store.catalogue import STARTER
from tests.bootstraps import BETTER, FakeStore, FakeSupervisor, pretend, run


@pytest.fixture
def pulled(monkeypatch):
    return pretend(monkeypatch)


async def test_another_model_is_switched_to_in_the_running_engine(tmp_path, pulled):
    session, starter = await run(tmp_path)
    old = session.settings
    session.configure({"model": BETTER})
    starter.reconfigure(old)
    await starter._task
    [supervisor] = FakeSupervisor.made
    assert supervisor.switched == [BETTER]


async def test_a_model_beside_the_settings_is_refused_or_noted_in_them_once_it_serves(
    tmp_path, pulled, monkeypatch
):
    monkeypatch.setattr(FakeStore, "names", [STARTER, BETTER])
    session, starter = await run(tmp_path, raw={"model": STARTER})
    [supervisor] = FakeSupervisor.made
    with pytest.raises(SettingsError, match="name qwen"):
        await starter.choose(BETTER)
    assert supervisor.switched == []
    await starter.choose(BETTER, noted=True)
    assert (supervisor.switched, FakeStore.choice) == ([BETTER], None)
    await reconfigured(starter, session, {"model": BETTER})
    assert supervisor.switched == [BETTER, BETTER]
    monkeypatch.setattr(FakeSupervisor, "refused", EngineRequestError("too large"))
    with pytest.raises(EngineRequestError):
        await starter.choose(STARTER, noted=True)


async def test_other_engine_settings_make_another_supervisor(tmp_path, pulled):
    session, starter = await run(tmp_path)
    old = session.settings
    session.configure({"threads": 3})
    starter.reconfigure(old)
    await starter._task
    first, second = FakeSupervisor.made
    assert first.closed
    assert (second.options.threads, second.closed) == (3, False)


async def reconfigured(starter, session, raw):
    old = session.settings
    session.configure(raw)
    starter.reconfigure(old)
    await starter._task


@pytest.mark.parametrize(
    ("settings", "renewals"),
    [
        ([{}], [False]),
        ([{}, {"threads": 3}], [False, True]),
        ([{}, {"gpuLayers": 3}], [False, True]),
        ([{}, {"contextTokens": 512}], [False, True]),
        ([{}, {"idleExitSeconds": 3}], [False, True]),
        ([{"engineUrl": "http://x"}, {}], [False, False]),
        ([{"engineUrl": "http://x"}, {"threads": 3}], [False, False]),
        ([{}, {"engineUrl": "http://x"}, {}], [False, False, False]),
        ([{"engineUrl": "http://x"}, {"engineUrl": "http://x", "threads": 3}], [False, False]),
    ],
)
async def test_the_shared_engine_is_ended_for_changes_of_its_own_options_alone(
    tmp_path, pulled, settings, renewals
):
    session, starter = await run(tmp_path, raw=settings[0])
    for raw in settings[1:]:
        await reconfigured(starter, session, raw)
    assert [supervisor.renew for supervisor in FakeSupervisor.made] == renewals


async def test_a_user_may_have_the_engine_restarted(tmp_path, pulled):
    _, starter = await run(tmp_path)
    starter.start(renew=True)
    await starter._task
    assert [supervisor.renew for supervisor in FakeSupervisor.made] == [False, True]


async def test_a_restart_outlives_a_change_that_comes_before_it_began(tmp_path, pulled):
    _, starter = await run(tmp_path)
    starter.start(renew=True)
    starter.start()
    await starter._task
    assert [supervisor.renew for supervisor in FakeSupervisor.made] == [False, True]
