import inspect

import pytest
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from lsp_server.errors import TenonError
from lsp_server.handlers.answers import as_command, at_most, convert, text_at, told
from lsp_server.protocol import Where


@pytest.mark.parametrize(("given", "said"), [([], "the name is missing"), ([3], "the name: Exp")])
def test_an_argument_of_the_wrong_kind_is_named(given, said):
    with pytest.raises(JsonRpcInvalidParams, match=said):
        text_at(given, 0, "the name")


def test_what_may_be_left_out_may_be_null():
    assert [text_at(given, 0, "x", "d") for given in ([], [None], ["v"])] == ["d", "d", "v"]


def test_more_than_a_command_takes_is_refused():
    at_most(["a"], 1, "tenon.x")
    with pytest.raises(JsonRpcInvalidParams, match=r"tenon\.x takes 1 arguments, not 2"):
        at_most(["a", "b"], 1, "tenon.x")


def test_parameters_become_structs_or_a_clear_error():
    assert convert({"uri": "file:///a"}, Where, "the parameters").uri == "file:///a"
    with pytest.raises(JsonRpcInvalidParams, match=r"the parameters: .*\$\.uri"):
        convert({"uri": 3}, Where, "the parameters")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (TenonError("do this"), "do this"),
        (OSError(28, "disk full"), "disk full"),
        (ValueError("odd"), "failed: ValueError"),
    ],
)
async def test_a_failure_is_an_error_of_lsp_that_says_what_it_is(error, message):
    async def failing(ls, params):
        raise error

    for call in (as_command(failing)(None), told(failing)(None, None)):
        with pytest.raises(JsonRpcException, match=message) as caught:
            await call
        assert caught.value.code == -32803
        assert caught.value.data is None


def test_pygls_sees_a_command_that_takes_anything():
    async def work(ls, arguments):
        """It."""

    assert [*inspect.signature(as_command(work)).parameters] == ["ls", "arguments"]
    kinds = [entry.kind for entry in inspect.signature(as_command(work)).parameters.values()]
    assert kinds[1] is inspect.Parameter.VAR_POSITIONAL
