"""Whether a licence lets us train on the code that it covers; what is not known is refused."""

import re
from collections.abc import Sequence

PERMISSIVE = re.compile(
    r"""(?ix) \b(?: mit(?:-cmu|-0)? | (?:0|new\ )?bsd | apache | python\ software\ foundation | psf
    | isc(?:l)? | unlicense | cc0 | zope | zpl | hpnd | zlib | public[- ]domain | cnri
    | historical\ permission | repoze | boost | bsl-1\.0 | freely\ distributable )"""
)
RESTRICTIVE = re.compile(
    r"""(?ix) gpl | general\ public | mozilla | \bmpl | share-?alike | by-sa | by-nc | eclipse
    | \bepl | proprietary | non-?commercial | cddl | \bcecill | \beupl | busl | business\ source
    | sspl | elastic | commons\ clause | other\b"""
)


def permissive(expression: str) -> bool:
    """Whether an SPDX expression or a licence's plain name is one of those that we take.

    Of alternatives (``OR``) one is enough, of parts (``AND``) each must do.
    """
    whole = expression.strip()
    if not whole:
        return False
    if " OR " in whole and "(" not in whole and " AND " not in whole:
        return any(permissive(part) for part in whole.split(" OR "))
    return bool(PERMISSIVE.search(whole)) and not RESTRICTIVE.search(whole)


def declared(expression: str | None, classifiers: Sequence[str], field: str | None) -> str:
    """The licence that a package's metadata declares, in at most one line; empty if none.

    The newest kind of declaration wins: an SPDX expression, then classifiers, then the old field,
    of which only the first line counts, for some put the whole licence there.
    """
    if expression:
        return expression.strip()
    named = [entry.split("::")[-1].strip() for entry in classifiers if entry.startswith("License")]
    named = [name for name in named if name != "OSI Approved"]
    if named:
        return " AND ".join(sorted(named))
    lines = (field or "").strip().splitlines()
    return lines[0].strip()[:80] if lines else ""
