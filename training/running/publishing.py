"""A judged candidate becomes an adapter of its repository, whole or not at all."""

import msgspec

from lsp_server.errors import AdapterError
from lsp_server.store.adapters import AdapterRegistry, StoredAdapter
from lsp_server.store.adapters.manifest import GATE, PROMOTED, REJECTED, AdapterFacts
from lsp_server.store.integrity import checksum

from ..gate.report import GateReport
from .job import Job


def publish(job: Job, report: GateReport) -> StoredAdapter:
    """The published adapter, which serves from then on if it was promoted and no user's own choice
    stands against that.

    Raises AdapterError (disk full) and ``OSError``: what served goes on. A run that was killed
    between publication and activation has left the very same adapter, which then serves.
    """
    encoded = msgspec.json.format(msgspec.json.encode(report))
    (job.run.candidate / GATE).write_bytes(encoded)
    facts = facts_of(job, report)
    sha256 = checksum(job.candidate)
    adapter = left_behind(job.registry, sha256, facts) if report.promoted else None
    if adapter is None:
        adapter = job.registry.publish(job.run.candidate, facts)
    if report.promoted:
        job.registry.promote(adapter.id, facts.scale)
    return adapter


def facts_of(job: Job, report: GateReport) -> AdapterFacts:
    """What the manifest will say."""
    return AdapterFacts(
        repository=job.store.name,
        commit=job.prepared.holdout.commit or job.prepared.commit,
        base=job.base.identity,
        base_name=job.base.model.name,
        fim_format=job.base.info.fim.name,
        recipe=msgspec.to_builtins(job.config),
        data_sha256=job.prepared.data_sha256,
        rank=job.config.recipe.rank,
        scale=report.sweep.scale if report.sweep else 1.0,
        verdict=PROMOTED if report.promoted else REJECTED,
        gate=report.summary,
        started_from=job.start.id,
        least_confidence=report.least_confidence,
    )


def left_behind(
    registry: AdapterRegistry, sha256: str, facts: AdapterFacts
) -> StoredAdapter | None:
    """A promoted adapter of that checksum which does not serve, though nothing else is its like."""
    try:
        serving = registry.active_id()
    except AdapterError:  # unreadable, and about to be replaced
        serving = None
    return next(
        (
            it
            for it in registry.all()
            if it.sha256 == sha256
            and it.id != serving
            and (it.verdict, it.base, it.scale) == (PROMOTED, facts.base, facts.scale)
        ),
        None,
    )
