"""What each new session and client of botocore finds out again, kept for all tests of a process.

moto gives each test sessions of its own. Half of these suites' time went into what is the same in all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore import compat, hooks, httpsession, regions
from botocore.client import ClientCreator
from botocore.loaders import Loader


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Have all sessions share the service models, the list of services and the present names of events.

    The same goes for what clients make of them: rules of endpoints and a method for each operation. moto asks no
    network, so that all clients have one context of TLS, too.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "_cache", _shared({}), raising=False)
        patch.setattr(hooks.EventAliaser, "_alias_name_cache", _shared({}), raising=False)
        patch.setattr(hooks, "accepts_kwargs", _takes_any_keyword)
        _replace(patch, regions, "EndpointProvider", _keep_by_models)
        _replace(patch, ClientCreator, "_create_api_method", _keep_methods)
        patch.setattr(httpsession, "create_urllib3_context", cache(httpsession.create_urllib3_context))
        yield


def _shared(value: dict[Any, Any]) -> property:
    """An attribute that is the same dictionary in all instances, whatever their constructor puts there."""
    return property(lambda _instance: value, lambda _instance, _value: None)


def _takes_any_keyword(handler: Callable[..., object]) -> bool:
    """Whether a handler has ``**kwargs``; botocore makes a whole signature of each, 160 for a client, to see that."""
    code = getattr(handler, "__code__", None)
    return bool(compat.accepts_kwargs(handler) if code is None else code.co_flags & inspect.CO_VARKEYWORDS)


def _replace(patch: pytest.MonkeyPatch, place: Any, name: str, keep: Callable[[Any], Any]) -> None:
    """Have what makes something keep it."""
    patch.setattr(place, name, keep(getattr(place, name)))


def _keep_by_models(create: Callable[..., Any]) -> Callable[..., Any]:
    """Make one of the same models, which live as long as the process does, so that their identity says which."""
    kept: dict[tuple[int, int], Any] = {}

    def create_or_find(*, ruleset_data: Any, partition_data: Any, **options: Any) -> Any:
        models = (id(ruleset_data), id(partition_data))
        if models not in kept:
            kept[models] = create(ruleset_data=ruleset_data, partition_data=partition_data, **options)
        return kept[models]

    return create_or_find


def _keep_methods(create: Callable[..., Any]) -> Callable[..., Any]:
    """Make one method of a service's operation, for all classes of clients; it has nothing of a client."""
    kept: dict[tuple[str, str], Any] = {}

    def create_or_find(creator: Any, name: str, operation: str, service: Any) -> Any:
        key = (service.service_name, operation)
        if key not in kept:
            kept[key] = create(creator, name, operation, service)
        return kept[key]

    return create_or_find
