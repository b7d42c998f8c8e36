from datetime import UTC, datetime, timedelta

from lsp_server.offers import OfferBook
from lsp_server.store.paths import StorePaths

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_offer_is_open_until_it_is_answered(tmp_path):
    book = OfferBook(StorePaths(tmp_path))
    assert book.is_open(NOW)
    book.postpone(NOW)
    assert not book.is_open(NOW + timedelta(days=6))
    assert book.is_open(NOW + timedelta(days=8))
    book.close()
    assert not OfferBook(StorePaths(tmp_path)).is_open(NOW + timedelta(days=1000))


def test_a_damaged_answer_counts_as_none(tmp_path):
    (tmp_path / "offers.json").write_text("{not json")
    assert OfferBook(StorePaths(tmp_path)).is_open(NOW)


def test_an_answer_that_cannot_be_written_is_forgotten(tmp_path):
    (tmp_path / "file").write_text("")
    book = OfferBook(StorePaths(tmp_path / "file"))
    book.close()
    assert book.is_open(NOW)
