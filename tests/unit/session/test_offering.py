from lsp_server.completion.query import Completion
from lsp_server.completion.reasons import Reason
from lsp_server.session.offering import KEPT, Offers
from tests.fakes import FakeEngine
from tests.unit.session.test_session import request, session_with


def answer(text, reason=Reason.SHOWN, adapter=None):
    return Completion(text, reason, "model", adapter)


def test_typing_along_is_the_same_suggestion():
    offers = Offers()
    first, _ = offers.identify("a.py", answer("return x"))
    assert offers.identify("a.py", answer("urn x", Reason.CACHE)) == (first, False)
    assert offers.take(first)
    assert not offers.take(first)


def test_other_documents_adapters_and_answers_are_other_suggestions():
    offers = Offers()
    first, _ = offers.identify("a.py", answer("return x"))
    others = [
        offers.identify("b.py", answer("urn x", Reason.CACHE)),
        offers.identify("a.py", answer("urn x", Reason.CACHE, "an-adapter")),
        offers.identify("a.py", answer("pass", Reason.CACHE)),
        offers.identify("a.py", answer("return x")),
    ]
    assert all(is_new for _, is_new in others)
    assert len({first, *(identifier for identifier, _ in others)}) == 5


def test_the_oldest_are_forgotten():
    offers = Offers()
    first, _ = offers.identify("a.py", answer("x"))
    for _ in range(KEPT):
        offers.identify("a.py", answer("x"))
    assert not offers.take(first)


async def test_a_session_records_one_suggestion_for_all_of_its_keystrokes():
    class Recorder:
        def __init__(self):
            self.enabled = True
            self.seen = []

        def offered(self, identifier, completion, root, language):
            self.seen.append((identifier, completion.text, root, language))

        def accepted(self, identifier):
            self.seen.append(identifier)

    session = session_with(FakeEngine("12345\n"))
    session.feedback = Recorder()
    place = {"path": "/w/a.py", "roots": ("/w",), "language": "python"}
    first, _ = await session.complete(request("x = ‸\n", **place))
    second, _ = await session.complete(request("x = 12‸\n", **place))
    assert (second.id, second.text) == (first.id, "345")
    assert session.accepted(second.id)
    assert session.feedback.seen == [(first.id, "12345", "/w", "python"), first.id]
    session.configure({"feedback": False})
    assert session.feedback.enabled is False
