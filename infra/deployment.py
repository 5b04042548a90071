"""From options and configuration to the stacks; refuses all that cannot work, at once, before anything is made."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aws_cdk import App, CfnOutput, Environment
from constructs import Construct

from millrace.config.document import Document, load
from millrace.errors import InvalidConfiguration, MillraceError

from .history import refuse_home
from .kernel import build_kernels
from .layers import layers
from .needed_packages import needs_packages
from .options import Options, refuse_unknown_options
from .package import package
from .processing_stack import ProcessingStack
from .storage_stack import StorageStack
from .target import decide_emulator, describe_emulator
from .topology import Topology, describe, refusals


@dataclass(frozen=True, slots=True)
class Deployment:
    """The two stacks."""

    storage: StorageStack
    processing: ProcessingStack


class Millrace(Construct):
    """Both stacks, for a CDK app of one's own: in an installed wheel `from millrace.infra.deployment import Millrace`.

    ``configuration`` is the path of a millrace.yaml, or what it says. ``storage`` and ``processing`` are stacks, named
    by ``options.name`` wherever they are made, so that the command `millrace` finds them. ``storage.queues`` has the
    queue of each source connection, ``storage.dead_letters`` and ``storage.ledger`` the rest of what is kept.

    Raises InvalidConfiguration with all that stands against the deployment.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        configuration: Path | Document,
        options: Options | None = None,
        env: Environment | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        document = load(configuration) if isinstance(configuration, Path) else configuration
        env = env or _environment()
        stacks = deploy(self, document, _settle_target(options or Options(), env.account), env)
        self.storage, self.processing = stacks.storage, stacks.processing


def main(app: App) -> None:
    """Synthesise what the context and its configuration file ask for; exit 1 with every problem on stderr."""
    try:
        env = _environment()
        refuse_unknown_options(app.node.try_get_context("millrace:options"))
        options = _settle_target(Options.from_context(app.node.try_get_context), env.account)
        deploy(app, load(Path(options.config)), options, env)
    except InvalidConfiguration as invalid:
        _leave(invalid.problems)
    except MillraceError as problem:
        _leave([str(problem)])
    app.synth()


def deploy(scope: Construct, document: Document, options: Options, env: Environment) -> Deployment:
    """Make both stacks; raise InvalidConfiguration with all that stands against it."""
    topology = describe(document)
    if problems := [*refusals(document, env.region), *_refuse(topology, options)]:
        raise InvalidConfiguration(problems)
    storage = StorageStack(scope, topology=topology, options=options, env=env)
    processing = ProcessingStack(
        scope,
        topology=topology,
        options=options,
        env=env,
        # The emulator runs functions in this machine's own Python, which has the packages already.
        code=package(document.to_json(), kernels=build_kernels(), python=sys.executable if options.emulator else None),
        layers={}
        if options.emulator
        else layers(formats=needs_packages(document), iceberg=topology.iceberg is not None),
        key=storage.key,
    )
    processing.add_stack_dependency(storage)
    active = [sync.name for sync in document.active_syncs()]
    CfnOutput(processing, "Syncs", value=json.dumps(active))
    return Deployment(storage, processing)


def _settle_target(options: Options, account: str | None) -> Options:
    """The options with ``emulator`` decided; says so if nobody asked for it."""
    is_emulator = decide_emulator(os.environ, account, given=options.emulator)
    if is_emulator and options.emulator is None:
        sys.stderr.write(f"{describe_emulator(os.environ, account)}\n")
    return replace(options, emulator=is_emulator)


def _refuse(topology: Topology, options: Options) -> Iterator[str]:
    yield from _throttled(topology, options)
    yield from refuse_home(topology, options)
    yield from _in_the_clear(topology, options)


def _throttled(topology: Topology, options: Options) -> Iterator[str]:
    """A message whose function is throttled waits for the queue's visibility time, an hour and a half."""
    live = len(topology.sources + topology.own_queue_arns) * options.max_concurrency
    wanted = live + (options.backfill_concurrency if topology.sources else 0)
    if options.reserved_concurrency is not None and options.reserved_concurrency < wanted:
        yield (
            f"context reserved_concurrency: found {options.reserved_concurrency}, which is less than the {wanted} that "
            f"the queues may run together at max_concurrency {options.max_concurrency} each and backfill_concurrency "
            f"{options.backfill_concurrency}: messages would be throttled, and wait an hour and a half each time. "
            "Raise the one, or lower the other"
        )


def _in_the_clear(topology: Topology, options: Options) -> Iterator[str]:
    """Loopback within a function is the function itself: only on the emulator a receiver may be there."""
    for webhook in topology.webhooks:
        if webhook.is_plain and not options.emulator:
            yield f"webhook {webhook.name!r} is sent to by http on loopback, which the emulator alone does; use https"


def _environment() -> Environment:
    return Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION"))


def _leave(problems: list[str]) -> None:
    sys.exit("\n  - ".join(["Millrace cannot be deployed like this:", *problems]))
