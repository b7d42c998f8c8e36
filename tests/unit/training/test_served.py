"""The base that serves, as training takes it; asking a real engine is in tests/e2e."""

from pathlib import Path

import pytest

from lsp_server.completion.engine import EngineInfo
from lsp_server.errors import ModelError
from lsp_server.prompt.formats import FORMATS, FimFormat
from lsp_server.store.catalogue import STARTER
from tests.starter import starter_store
from tests.train_extra import torch  # noqa: F401 - skips this file where training is not set up
from training import served
from training.base.tokenizer import TextTokenizer
from training.served import ENDS, ServedBase
from training.starter.artefact import END


@pytest.mark.parametrize("fim", [fim for fim in FORMATS.values() if fim.name != "plain"])
def test_every_family_has_an_end_at_which_the_engine_stops(fim: FimFormat):
    assert ENDS[fim.name] in fim.stops
    assert ENDS[fim.name] not in fim.specials


def test_the_starters_end_is_what_it_was_taught():
    assert ENDS[STARTER] == END


def starter(fim: str) -> ServedBase:
    model = starter_store().get(STARTER)
    info = EngineInfo(STARTER, FORMATS[fim], 2048, 900.0, 60.0, sha256=model.sha256)
    return ServedBase(info, model, model.identity, TextTokenizer.read(model.path))


def test_terms_are_the_models_own():
    terms = starter(STARTER).terms
    assert terms.fim is FORMATS[STARTER]
    assert terms.end == terms.tokenizer.ids[END]
    assert terms.budget.snippets > 0


@pytest.mark.parametrize("fim", ["plain", "codellama"])
def test_a_model_that_cannot_end_an_answer_is_refused(fim: str):
    with pytest.raises(ModelError, match="choose another model"):
        starter(fim).terms  # noqa: B018 - reads the vocabulary


def test_tokenizers_are_compared_on_files_that_may_be_read(tmp_path: Path):
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "a.js").write_text("vendored()\n")
    (tmp_path / "z.py").write_text("kept = 1\n" * 2_000)
    (tmp_path / "link.py").symlink_to(tmp_path / "z.py")
    [text] = served._texts(tmp_path)
    assert text == ("kept = 1\n" * 2_000)[: served.CHECKED_CHARACTERS]
    for number in range(30):
        (tmp_path / f"n{number}.py").write_text("x = 1\n")
    assert len(list(served._texts(tmp_path))) == served.CHECKED_TEXTS
