import pytest

from lsp_server import bootstrap
from lsp_server.bootstrap import DOWNLOAD, NEVER, NOT_NOW
from lsp_server.errors import EngineRequestError
from lsp_server.store.catalogue import STARTER, load_catalogue
from tests.bootstraps import BETTER, FakeEditor, FakeStore, FakeSupervisor, pretend, run


@pytest.fixture
def pulled(monkeypatch):
    return pretend(monkeypatch)


async def test_a_better_model_that_is_accepted_takes_over(tmp_path, pulled):
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor)
    entry = load_catalogue()[BETTER]
    assert f"{entry.size / 1e9:.1f} GB" in editor.asked[0]
    assert entry.license in editor.asked[0]
    assert pulled == [BETTER]
    assert FakeStore.choice == BETTER
    assert FakeSupervisor.made[0].switched == [BETTER]


@pytest.mark.parametrize("answer", [NOT_NOW, NEVER])
async def test_a_refused_offer_is_not_repeated(tmp_path, pulled, answer):
    await run(tmp_path, FakeEditor(answer))
    again = FakeEditor(DOWNLOAD)
    await run(tmp_path, again)
    assert again.asked == []
    assert pulled == []


async def test_an_offer_that_was_only_closed_comes_once_a_session(tmp_path, pulled):
    editor = FakeEditor(None)
    _, starter = await run(tmp_path, editor)
    starter.start()
    await starter._task
    assert len(editor.asked) == 1


@pytest.mark.parametrize("raw", [{"offerModels": False}, {"model": STARTER}])
async def test_no_offer_where_none_is_wanted(tmp_path, pulled, raw):
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor, raw)
    assert editor.asked == []


async def test_no_offer_to_who_chose_a_model(tmp_path, pulled, monkeypatch):
    monkeypatch.setattr(FakeStore, "choice", STARTER)
    editor = FakeEditor(DOWNLOAD)
    await run(tmp_path, editor)
    assert editor.asked == []


async def test_a_model_that_does_not_load_is_not_chosen(tmp_path, pulled, monkeypatch):
    refusal = EngineRequestError("it is of an unknown architecture")
    monkeypatch.setattr(FakeSupervisor, "refused", refusal)
    session, _ = await run(tmp_path, FakeEditor(DOWNLOAD))
    assert pulled == [BETTER]
    assert FakeStore.choice is None
    assert "unknown architecture" in session.status().last_error
    assert session.status().state == "ready"


async def test_what_nobody_expected_leaves_an_engine_that_runs_alone(
    tmp_path, pulled, monkeypatch, caplog
):
    def recommendation(*_):
        raise ValueError("odd")

    monkeypatch.setattr(bootstrap, "recommendation", recommendation)
    session, _ = await run(tmp_path)
    assert session.status().state == "ready"
    assert "odd" in session.status().last_error
    assert "Traceback" in caplog.text
