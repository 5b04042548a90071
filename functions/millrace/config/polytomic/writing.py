"""A raw configuration as YAML that people read: in the order of the file's reference, with remarks on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from millrace.config import reading
from millrace.texts import escape_controls

_WIDTH = 118


def to_yaml(document: Mapping[str, Any], comments: Iterable[str]) -> str:
    """The text of a configuration file; it is read back equal. ``comments`` become lines on top."""
    # PyYAML is not deployed: functions read JSON alone.
    import yaml  # noqa: PLC0415

    class Dumper(yaml.SafeDumper):
        """Quotes what either version of YAML reads as something else than text: ``no`` of 1.1, ``1e5`` of 1.2."""

        def ignore_aliases(self, data: object) -> bool:
            del data
            return True

    reading.add_core_schema(Dumper)
    head = "".join(f"# {escape_controls(comment)}\n" for comment in comments)

    def dump(*, allow_unicode: bool) -> str:
        text = yaml.dump(dict(document), Dumper=Dumper, sort_keys=False, width=_WIDTH, allow_unicode=allow_unicode)
        return str(text)

    body = dump(allow_unicode=True)
    # PyYAML escapes what its own rules call unprintable; marks that turn text around are not among these.
    if any(escape_controls(line) != line for line in body.split("\n")):
        body = dump(allow_unicode=False)
    return f"{head}\n{body}" if head else body
