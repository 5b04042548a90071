"""SQS batch in, failed message ids out."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from millrace.composition import ConvertWorld, convert_world
from millrace.delivery.breaker import Circuit, how_to_resume
from millrace.delivery.outcome_log import Severity, fields, metric_names, severity
from millrace.delivery.worker import Outcome
from millrace.ledger.claims import Delivery

logger = Logger()
metrics = Metrics(namespace="Millrace")
tracer = Tracer()
TELL = {Severity.INFO: logger.info, Severity.WARNING: logger.warning, Severity.ERROR: logger.error}


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handle(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Work on every message there is time for; report exactly those that must come back."""
    metrics.add_metric(name="Messages", unit=MetricUnit.Count, value=len(event["Records"]))
    here, queue = world(), event["Records"][0]["eventSourceARN"]
    intake = here.intake(queue, tell=_tell, note=lambda note: logger.info("passed over", reason=note))

    def take(record: SQSRecord) -> None:
        delivery = Delivery(
            message_id=record.message_id,
            remaining=lambda: context.get_remaining_time_in_millis() / 1000,
            receives=int(record.attributes.approximate_receive_count or 1),
        )
        try:
            intake.take(record.body, delivery, partial(here.delay.delay, queue, record.receipt_handle))
        except Exception as error:
            logger.warning("comes back", message_id=record.message_id, error=type(error).__name__, reason=str(error))
            raise

    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    return process_partial_response(event=event, record_handler=take, processor=processor, context=context)


def _tell(outcome: Outcome) -> None:
    TELL[severity(outcome)](outcome.result, extra=fields(outcome))
    for name in metric_names(outcome):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def _circuit_opened(circuit: Circuit) -> None:
    logger.error("circuit opened", queue=circuit.queue, sync=circuit.sync, reason=how_to_resume(circuit))
    metrics.add_metric(name="CircuitOpen", unit=MetricUnit.Count, value=1)


@cache
def world() -> ConvertWorld:
    """What the function works with, made once a cold start."""
    return convert_world(announce=_circuit_opened, trouble=lambda reason: logger.warning("trouble", reason=reason))
