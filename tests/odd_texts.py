"""Texts that tokenizers disagree about, and characters that they were all built to know."""

from pathlib import Path
from unicodedata import ucd_3_2_0

from hypothesis import strategies as st

import lsp_server

ODD = (
    "", " ", "\n", "\t", "\x0c", "\r\n", "a\r\nb", "  \n\n\t\tx", "\x0c\ndef f():\n    pass\n",
    "x = 1234567890", "0x1F_FF + 1e-10j", "v1.2.3", "٣٤٥ ४५६ ① ½ Ⅷ", "if x:\n\treturn\t1  # tab",
    "don't we'll I'm they've I'D", "naïve café Zoë", "变量 = '值'  # 注释", "変数",
    "🙂🙃 👩‍👩‍👧", "e\u0301",
    "\u00a0\u2003\u3000x", "\ufeffx", "\x00\x01\x7f", "a\u2028b\u0085c", "<|endoftext|>",
    "<issue_start>def<issue_closed>", "Ġword Ċ", "    " * 9 + "x", "_" * 40, "=" * 80,
    "< \x06)", "\n \x16\x1d\U00089a4a x", "a\x04b",  # of which some bytes have no token
    "self.assertEqual(self.x,  12)", '"""Docs."""\n\n\n', "f'{a!r:>{width}}'", "\N{KELVIN SIGN}ſß",
)  # fmt: skip

ASSIGNED = [
    character
    for character in map(chr, range(0x30000))
    if ucd_3_2_0.category(character) not in {"Cn", "Cs"}
]
"""What both know the kind of: they were built with tables of different years."""
CHARACTERS = st.sampled_from(ASSIGNED[:256]) | st.sampled_from(ASSIGNED)


def snippets() -> list[str]:
    """Pieces of this package's own source, cut at lines and inside words."""
    found = []
    for path in sorted(Path(lsp_server.__file__).parent.glob("prompt/*.py")):
        text = path.read_text(encoding="utf-8")
        found += [text[at : at + 157] for at in range(0, len(text), 113)]
    return found
