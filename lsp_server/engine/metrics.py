"""What ``/metrics`` tells about an engine."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .adapters import ShelfState
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
        self.adapters = Gauge("tenon_adapters", "Adapters loaded", registry=self.registry)
        self.adapter_bytes = Gauge(
            "tenon_adapter_bytes", "Memory that adapters take", registry=self.registry
        )
        self.adapter_capacity = Gauge(
            "tenon_adapter_capacity_bytes",
            "What adapters that nobody uses may take",
            registry=self.registry,
        )
        self.adapters_evicted = Gauge(
            "tenon_adapters_evicted",
            "Adapters that had to make room since the model was loaded",
            registry=self.registry,
        )
        self.adapter_loads = Histogram(
            "tenon_adapter_load_seconds", "From request to loaded", registry=self.registry
        )

    def tokens_of(self, timings: Timings) -> None:
        """Count what an answer has cost."""
        self.tokens.labels("cached").inc(timings.cache_n)
        self.tokens.labels("prefill").inc(timings.prompt_n)
        self.tokens.labels("decode").inc(timings.predicted_n)

    def text(self, depth: int, shelf: ShelfState) -> bytes:
        """Prometheus' text format."""
        self.depth.set(depth)
        self.adapters.set(shelf.adapters)
        self.adapter_bytes.set(shelf.size)
        self.adapter_capacity.set(shelf.capacity)
        self.adapters_evicted.set(shelf.evicted)
        return generate_latest(self.registry)
