"""What the convert function says of its work: lines of its log, and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from millrace.delivery.breaker import Circuit, how_to_resume
from millrace.delivery.intake import Grounds, Received
from millrace.delivery.outcome_log import Severity, fields, metric_names, severity
from millrace.delivery.worker import Outcome


@dataclass(frozen=True, slots=True)
class LoggedWitness:
    """Satisfies ``composition.convert.Witness`` with Powertools; log lines are JSON, metrics are counts."""

    logger: Logger
    metrics: Metrics

    def outcome(self, outcome: Outcome) -> None:
        """Log one object's outcome at its severity, and count it."""
        log = {
            Severity.INFO: self.logger.info,
            Severity.WARNING: self.logger.warning,
            Severity.ERROR: self.logger.error,
        }[severity(outcome)]
        log(outcome.result, extra=fields(outcome))
        for name in metric_names(outcome):
            self._count(name)

    def passed_over(self, reason: str) -> None:
        """Log what of a message asks for no work."""
        self.logger.info("passed over", reason=reason)

    def comes_back(self, message: Received, error: Exception) -> None:
        """Log why a message returns to its queue."""
        message_id = message.delivery.message_id
        self.logger.warning("comes back", message_id=message_id, error=type(error).__name__, reason=str(error))

    def buried(self, grounds: Grounds) -> None:
        """Log why a message is a dead letter now, and count it."""
        self.logger.error("dead letter", error=grounds.error, reason=grounds.reason, sync=grounds.sync, key=grounds.key)
        self._count("DeadLetters")

    def circuit_opened(self, circuit: Circuit) -> None:
        """Log an event source that was paused, and count it for the alarm."""
        self.logger.error("circuit opened", queue=circuit.queue, sync=circuit.sync, reason=how_to_resume(circuit))
        self._count("CircuitOpen")

    def not_catalogued(self, reason: str) -> None:
        """Log a table that is not in the catalogue as it should be, and count it for the alarm."""
        self.logger.error("not catalogued", reason=reason)
        self._count("NotCatalogued")

    def trouble(self, reason: str) -> None:
        """Log what went wrong beside the work itself."""
        self.logger.warning("trouble", reason=reason)

    def _count(self, name: str) -> None:
        self.metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
