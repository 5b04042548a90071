"""No pandas, as in Lambda: where there is one, pyarrow imports it with its first value, a second of CPU a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class HiddenPandas:
    """Looks for modules before all others do, and says that this one is not there."""

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """None for every other module: who looks next may find it."""
        if name == "pandas":
            raise ModuleNotFoundError("hidden, since Lambda has none", name=name)


def hide_pandas() -> HiddenPandas:
    """Hide it from this process and from those that it forks, unless it is imported already."""
    hidden = HiddenPandas()
    sys.meta_path.insert(0, hidden)
    return hidden


@contextmanager
def pandas_hidden() -> Iterator[None]:
    """Hide it for a while; what was made of values meanwhile goes on without it."""
    hidden = hide_pandas()
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
