"""A repository whose every function is written in the same few idioms, which no model knows.

What a short training can learn for certain, a real gate finds for certain.
"""

import random

from tests.git_repositories import Repository

NOUNS = [
    "invoice",
    "parcel",
    "ledger",
    "tenant",
    "voucher",
    "shipment",
    "contract",
    "pallet",
    "harbour",
    "tariff",
    "quota",
    "depot",
    "courier",
    "manifest",
    "waybill",
    "pension",
    "deposit",
    "mandate",
    "subsidy",
    "permit",
    "lease",
    "warrant",
    "coupon",
    "roster",
]
VERBS = [
    "collect",
    "settle",
    "reconcile",
    "archive",
    "dispatch",
    "restore",
    "inspect",
    "approve",
    "revoke",
    "estimate",
]
OPENINGS = (
    'with vault.borrow("{noun}", token=caller.token) as {noun}_box:',
    'with ledger_guard(caller, realm="{noun}", strict=True) as {noun}_box:',
    'with vault.open_sealed("{noun}", reason="{verb}") as {noun}_box:',
)
LINES = (
    'audit_trail.note(caller, "{verb}", subject="{noun}")',
    "{noun}_rows = {noun}_box.gather(limit=VAULT_LIMIT, strict=True)",
    'metrics.bump("{noun}.{verb}", by=len({noun}_box))',
    '{noun}_box.require(Clearance.for_realm("{noun}"), caller)',
    "{noun}_state = {noun}_box.freeze(until=caller.deadline)",
    'caller.budget.spend("{noun}", cost=COST_OF["{verb}"])',
    '{other}_link = {noun}_box.link_to("{other}", weak=True)',
    '{noun}_box.stamp(author=caller.badge, action="{verb}")',
    'journal.append(Entry("{verb}", {noun}_box.key, caller.badge))',
    '{noun}_box.ripple(to="{other}", depth=RIPPLE_DEPTH)',
)
CLOSINGS = (
    'return Outcome.sealed("{noun}", {noun}_box.commit(caller.badge))',
    'return Outcome.partial("{noun}", {noun}_box.commit(caller.badge), link="{other}")',
    'return Outcome.deferred("{noun}", {noun}_box.park(caller.deadline))',
)


def function(verb: str, noun: str, draw: random.Random) -> str:
    """One documented function in the house's idioms."""
    other = draw.choice([name for name in NOUNS if name != noun])
    middle = draw.sample(LINES, draw.randint(4, 6))
    body = [draw.choice(OPENINGS), *(f"    {line}" for line in (*middle, draw.choice(CLOSINGS)))]
    lines = "\n".join(f"    {line}" for line in body).format(noun=noun, verb=verb, other=other)
    doc = f'    """{verb.capitalize()} the {noun} of a caller, beside its {other}."""'
    return f"def {verb}_{noun}(caller, vault):\n{doc}\n{lines}\n"


def module(noun: str, verbs: tuple[str, ...], draw: random.Random) -> str:
    """One file of such functions."""
    head = f'"""What callers do with a {noun}."""\n\nfrom house import Outcome, audit_trail\n'
    return "\n\n".join([head, *(function(verb, noun, draw) for verb in verbs)])


def idiomatic(made: Repository, seed: int, *, older: int = 8, newer: int = 14) -> list[str]:
    """Commits ``older`` large files, then ``newer`` small ones one by one, so that many files are
    held out; returns the nouns that are left.
    """
    draw = random.Random(seed)
    nouns = draw.sample(NOUNS, len(NOUNS))
    verbs = tuple(VERBS)
    first, later = nouns[:older], nouns[older : older + newer]
    made.commit({f"house/{noun}s.py": module(noun, verbs, draw) for noun in first})
    for noun in later:
        made.commit({f"house/{noun}s.py": module(noun, verbs[:2], draw)})
    return nouns[older + newer :]
