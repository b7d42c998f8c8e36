from lsp_server.completion.query import Completion
from lsp_server.completion.reasons import Reason
from lsp_server.completion.trace import Trace
from lsp_server.session.offering import KEPT, Offers
from tests.fakes import FakeEngine
from tests.unit.session.test_session import request, session_with


def answer(text, reason=Reason.SHOWN, adapter=None, trace=None):
    return Completion(text, reason, "model", adapter, trace=trace)


def test_typing_along_is_the_same_suggestion():
    offers = Offers()
    first, _ = offers.identify("a.py", answer("return x"))
    assert offers.identify("a.py", answer("urn x", Reason.CACHE)) == (first, False)
    assert offers.take(first)
    assert not offers.take(first)


def test_an_answer_whose_first_lines_were_shown_is_the_same_suggestion():
    offers, first_lines = Offers(), Trace()
    first, _ = offers.identify("a.py", answer("\n  a()", trace=first_lines))
    rest = Trace().told(first_lines, cached=False)
    for reason in (Reason.JOINED, Reason.CACHE):
        grown = answer("  a()\n  b()", reason, trace=rest)
        assert offers.identify("a.py", grown) == (first, False)
    assert offers.hold("a.py", "b()")
    other = answer("  a()\n  b()", Reason.JOINED, trace=Trace())
    assert offers.identify("a.py", other)[1]


def test_one_that_was_accepted_is_held_but_not_offered_again():
    offers, trace = Offers(), Trace()
    first, _ = offers.identify("a.py", answer("a()\nb()", trace=trace))
    assert offers.take(first)
    assert offers.hold("a.py", "a()\nb()")
    assert not offers.hold("b.py", "a()\nb()")
    assert offers.identify("a.py", answer("b()", Reason.CACHE, trace=trace))[1]


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
