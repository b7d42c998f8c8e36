from itertools import pairwise

import pytest

from lsp_server.store.secrets import find_secrets

# In two halves each, so that no scanner of repositories takes them for real ones.
GITHUB = "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789"
AWS = "AKIA" + "IOSFODNN7EXAMPLX"
SLACK = "xoxb-" + "123456789012-123456789012-abcdefghijklmnopqrstuvwx"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
HUGGING = "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH"
STRIPE = "sk_" + "live_" + "abcdefghijklmnopqrstuvwx"
RANDOM = "Zq8x" + "K2mW9pLr4TnB7vYc3JhG6fDs"
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEpAIB\nabc\n-----END RSA PRIVATE KEY-----"


def found(text, path="a.py"):
    return [text[start:end] for start, end in find_secrets(text, path)]


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f'x = "{GITHUB}"', GITHUB),
        (f"# the key is {AWS}, do not tell", AWS),
        (f"client({SLACK!r})", SLACK),
        (f'header = "{JWT}"', JWT),
        (f'os.environ["HF"] = "{HUGGING}"', HUGGING),
        (f"stripe.key = '{STRIPE}'", STRIPE),
        (f'seed = "{RANDOM}"', RANDOM),
        ('password = "hunter2"', "hunter2"),
        ('db_password: str = "s3cr3t!"', "s3cr3t!"),
        ('connect(password="correct horse")', "correct horse"),
        ('{"api_key": "q7w8e9r0"}', "q7w8e9r0"),
        ('if secret == "open sesame 1":', "open sesame 1"),
        ('API_TOKEN = "a8f7e6d5c4b3a2918070"', "a8f7e6d5c4b3a2918070"),
        ('"postgres://bob:hunter2@db.internal/x"', "hunter2"),
        ("# Jane Doe <jane.doe@corp.io>", "jane.doe@corp.io"),
        ("# call +49 170 1234567", "+49 170 1234567"),
        ("phone = '(212) 867-5309'", "(212) 867-5309"),
        (f"key = '''{KEY}'''\nx = 1\n", KEY),
    ],
)  # fmt: skip
def test_secrets_and_personal_data_are_found(text, secret):
    assert found("x = 1\n" + text + "\ny = 2\n") == [secret]


@pytest.mark.parametrize(
    "text",
    [
        "@foo.bar\ndef f(): ...",
        "a = x@self.w + q@k.transpose(1, 2)",
        "git@github.com:a/b.git",
        "user@example.com, a@localhost, 1+a@users.noreply.github.com",
        "password = os.environ['PASSWORD']",
        'password = "<your password>"',
        'password = "${PASSWORD}"',
        'token = "<file_sep>"',
        'tokens = "abc" * 3',
        "n = 1 + 12 345\nx = 2024-01-02\ny = '555-867-5309'",
        'name = "a_rather_long_identifier_with_words_in_it"',
        'alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"',
        "import secrets\nsecret = get_secret(name)",
        'path = "/usr/local/share/applications"',
    ],
)
def test_code_that_holds_none(text):
    assert found(text) == []


def test_spans_are_sorted_and_do_not_overlap():
    text = f'password = "{GITHUB}"\nmail = "a.b@corp.io"\npassword = "{AWS}"\n'
    spans = find_secrets(text, "a.py")
    assert [text[start:end] for start, end in spans] == [GITHUB, "a.b@corp.io", AWS]
    assert all(one[1] < two[0] for one, two in pairwise(spans))


def test_an_unquoted_value_is_one_where_files_are_written_so():
    assert found("password = hunter22\n", "app.ini") == ["hunter22"]
    assert found("password = hunter22\n", "app.py") == []


def test_very_long_lines_are_read_to_their_end():
    assert found("x = [" + "1, " * 5_000 + f'"{GITHUB}"]\n') == [GITHUB]


def test_a_key_that_never_ends_is_a_line():
    assert found('if line == "-----BEGIN ' + 'PRIVATE KEY-----":\n    pass\n' + "x = 1\n" * 10) == [
        "-----BEGIN PRIVATE KEY-----"
    ]
