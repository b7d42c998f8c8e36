"""Pieces of Python that are hard on offsets, and files made of them."""

from hypothesis import strategies as st

PIECES = (
    "import os", "", "# Kommentar: größer 🙂", "x = 'größer' + f(1)  # ß",
    "été = {'🙂': [1, 2]}; y = 3",
    "def f(a, b=(1, 2)):\n    '''Docs.'''\n    if a:\n        return [a, b]\n    return 'é' * 3",
    'class Größe(A):\n    """Ü."""\n\n    @property\n    def größe(self):\n        return self.x',
    "try:\n\tf(1,\n\t  'é')\nexcept ValueError as error:\n\traise\nfinally:\n\tclose(été)",
    "\x0c", "text = '''\nmehrere\n  Zeilen 🙂\n'''",
    "async def g():\n    async with a as b:\n        await b.read()",
    "for i in range(3): print(i)\nelse: pass",
    "@decorated(1)\n@ twice\ndef h(): return 1", "   ", "print(f'{x!r:>10} {été[0]}')",
)  # fmt: skip
SOURCES = st.builds(
    lambda pieces, end: "\n".join(pieces) + end,
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=8),
    st.sampled_from(["\n", ""]),
)
