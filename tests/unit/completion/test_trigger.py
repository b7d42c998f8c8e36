import pytest

from lsp_server.completion.reasons import Reason
from lsp_server.completion.trigger import refusal


def refused(document, **options):
    before, after = document.split("‸")
    return refusal(before, after, **{"automatic": True, "path": "a.py"} | options)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (" ‸\n", Reason.BLANK_DOCUMENT),
        ("re‸turn", Reason.MID_WORD),
        ("f();‸\n", Reason.STATEMENT_ENDED),
        ("print(a)‸\n", Reason.BRACKET_CLOSED),
        ("    x = {'a': [1]}‸", Reason.BRACKET_CLOSED),
        ("    }‸\n", Reason.BRACKET_CLOSED),
        ("# words in a row an‸", Reason.PROSE),
    ],
)
def test_what_is_refused(document, reason):
    assert refused(document) is reason


@pytest.mark.parametrize(
    "document",
    [
        "x = ‸\n",
        "for (;;‸)",
        "def f(a)‸\n",
        "    if (a[0])‸\n",
        "} else if (x)‸\n",
        "f(g(a)‸\n",
        "f(g(a)‸)\n",
        "print(a)‸  # why",
        ")‸\n",
        "print(')'‸",
    ],
)
def test_what_is_asked(document):
    assert refused(document) is None


def test_while_deleting_nothing_is_asked():
    assert refused("x = ‸\n", deleting=True) is Reason.DELETING


@pytest.mark.parametrize("document", ["re‸turn", "f();‸", "print(a)‸", "# many words in a‸"])
def test_by_hand_there_is_an_answer_wherever_there_is_one(document):
    assert refused(document, automatic=False, deleting=True) is None
