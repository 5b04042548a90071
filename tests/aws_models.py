"""What each new session and client of botocore finds out again, kept for all tests of a process.

moto gives each test sessions of its own. Half of these suites' time went into what is the same in all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore import compat, hooks
from botocore.loaders import Loader


@pytest.fixture(scope="session", autouse=True)
def service_models_are_read_once() -> Iterator[None]:
    """Have all sessions share the service models, the list of services and the present names of events."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "_cache", _shared({}), raising=False)
        patch.setattr(hooks.EventAliaser, "_alias_name_cache", _shared({}), raising=False)
        patch.setattr(hooks, "accepts_kwargs", _takes_any_keyword)
        yield


def _shared(value: dict[Any, Any]) -> property:
    """An attribute that is the same dictionary in all instances, whatever their constructor puts there."""
    return property(lambda _instance: value, lambda _instance, _value: None)


def _takes_any_keyword(handler: Callable[..., object]) -> bool:
    """Whether a handler has ``**kwargs``; botocore makes a whole signature of each, 160 for a client, to see that."""
    code = getattr(handler, "__code__", None)
    return bool(compat.accepts_kwargs(handler) if code is None else code.co_flags & inspect.CO_VARKEYWORDS)
