import argparse

import pytest

from lsp_server.commands import engine


def parse(*arguments):
    parser = argparse.ArgumentParser()
    engine.add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--port", "-1"),
        ("--port", "65536"),
        ("--port", "x"),
        ("--threads", "-1"),
        ("--context", "-1"),
        ("--context", "99999999999"),
        ("--adapter-memory", "-1"),
        ("--gpu-layers", "-2"),
        ("--idle-exit", "-1"),
        ("--idle-exit", "nan"),
        ("--idle-exit", "inf"),
        ("--idle-exit", "soon"),
    ],
)
def test_a_number_that_makes_no_sense_is_wrong_usage(capsys, option, value):
    with pytest.raises(SystemExit) as ended:
        parse(f"{option}={value}")
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert option in said
    assert repr(value) in said


def test_limits_themselves_are_fine():
    options = parse(
        "--port=65535", "--threads=0", "--context=0", "--gpu-layers=-1", "--idle-exit=900.0"
    )
    assert (options.port, options.gpu_layers, options.idle_exit) == (65535, -1, 900.0)
