from lsp_server.session.sharing import BaseShare

PLACES = [(f"file:///{name}.py", line) for name in range(40) for line in range(100)]


def drawn(share, salt=b"one"):
    draws = BaseShare(salt)
    return {place for place in PLACES if draws.draws(share, *place)}


def test_off_by_default_means_never():
    assert drawn(0.0) == set()


def test_about_the_share_is_drawn_and_each_place_always_the_same():
    assert 0.17 < len(drawn(0.2)) / len(PLACES) < 0.23
    assert drawn(0.2) == drawn(0.2)
    assert drawn(0.2) < drawn(0.5)


def test_another_session_draws_anew():
    assert drawn(0.5) != drawn(0.5, b"two")
    assert BaseShare().salt != BaseShare().salt
