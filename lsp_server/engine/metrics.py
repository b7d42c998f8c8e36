"""What ``/metrics`` tells about an engine."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .generation import Timings


class Metrics:
    """What ``/metrics`` tells; a registry of its own, so that two engines can share a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tenon_requests", "Answers by how they ended", ["kind", "end"], registry=self.registry
        )
        self.tokens = Counter("tenon_tokens", "Tokens by stage", ["stage"], registry=self.registry)
        self.seconds = Histogram(
            "tenon_request_seconds", "From request to last token", registry=self.registry
        )
        self.depth = Gauge("tenon_queue", "Generations waiting or running", registry=self.registry)

    def tokens_of(self, timings: Timings) -> None:
        """Count what an answer has cost."""
        self.tokens.labels("cached").inc(timings.cache_n)
        self.tokens.labels("prefill").inc(timings.prompt_n)
        self.tokens.labels("decode").inc(timings.predicted_n)

    def text(self, depth: int) -> bytes:
        """Prometheus' text format."""
        self.depth.set(depth)
        return generate_latest(self.registry)
