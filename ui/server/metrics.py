"""Numbers for Prometheus; one registry an app, so that two apps in a process do not mix."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from chatbot.types import Turn

_STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def kefu_version() -> str:
    """The installed version."""
    try:
        return version("kefu")
    except PackageNotFoundError:
        return "unknown"


class Metrics:
    """What is counted; every label has few values, none comes from a customer."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._turns = Counter(
            "kefu_turns", "Turns that were answered.", ["decision", "finish"], registry=registry
        )
        self._stages = Histogram(
            "kefu_stage_seconds", "Time of a stage.", ["stage"], buckets=_STAGE_BUCKETS_S, registry=registry
        )
        self._requests = Counter(
            "kefu_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._latency = Histogram(
            "kefu_http_seconds", "Time of a request.", ["route"], buckets=_STAGE_BUCKETS_S, registry=registry
        )
        self.in_flight = Gauge("kefu_http_in_flight", "Requests being answered.", registry=registry)
        self.turns_under_way = Gauge("kefu_turns_under_way", "Turns running or waiting.", registry=registry)
        self._shed = Counter("kefu_shed", "Requests turned away.", ["reason"], registry=registry)
        self._ratings = Counter("kefu_ratings", "Ratings by customers.", ["value"], registry=registry)
        Info("kefu_build", "What runs here.", registry=registry).info({"version": kefu_version()})

    def turn(self, turn: Turn) -> None:
        """Count an answered turn and the time of its stages."""
        self._turns.labels(turn.decision.kind, turn.reply.finish).inc()
        for stage, seconds in turn.seconds.items():
            self._stages.labels(stage).observe(seconds)

    def request(self, method: str, route: str, *, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def shed(self, reason: str) -> None:
        """Count a request that was turned away to protect the others."""
        self._shed.labels(reason).inc()

    def rating(self, value: str) -> None:
        """Count a rating."""
        self._ratings.labels(value).inc()

    def page(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self.registry)
