"""Facts about text: its encoding, and a CSV file's dialect and header, each with what speaks for it."""

from __future__ import annotations

from millrace.engine.explain.facts import Fact, shown
from millrace.engine.formats.csv.dialect import Candidate, Detected
from millrace.engine.formats.csv.texts import Layout
from millrace.engine.formats.streams.encoding import Encoding

_ENCODINGS = {
    "configuration": "as told",
    "byte order mark": "the file begins with its byte order mark",
    "zero bytes": "no byte order mark, but every other byte is zero",
    "default": "no byte order mark, nothing else told",
}
_NAMES = {"\t": "tab", None: "none", " ": "space"}


def fact_of_encoding(encoding: Encoding) -> Fact:
    """The encoding, and how it is known."""
    return Fact("encoding", encoding.name, _ENCODINGS[encoding.known_by])


def facts_of_csv(layout: Layout) -> tuple[Fact, ...]:
    """The encoding, the dialect and the header."""
    dialect = layout.dialect
    return (
        fact_of_encoding(layout.encoding),
        Fact("delimiter", _name_of(dialect.delimiter), _why(layout.detected), _evidence(layout.detected)),
        Fact("quote", _name_of(dialect.quote), "by default" if dialect.quote == '"' else "as told"),
        Fact("escape", _name_of(dialect.escape), "as told" if dialect.escape else "by default"),
        _header(layout),
    )


def reasons_of_names(layout: Layout) -> dict[str, str]:
    """For each column whose name is not the header's: what the header says, and why it is not kept."""
    said = layout.header or ()
    reasons = {True: "the header leaves it without a name", False: "an earlier column has the name {name!r}, too"}
    return {
        name: reasons[not own].format(name=shown(own))
        for name, own in zip(layout.names, said, strict=bool(said))
        if name != own
    }


def _name_of(character: str | None) -> str:
    return _NAMES.get(character) or str(character)


def _why(detected: Detected) -> str:
    if not detected.candidates:
        return "as told, or as the file's extension says"
    best, *rivals = detected.candidates
    alone = [_name_of(rival.delimiter) for rival in rivals if rival.width < 2]
    tried = [f"{_name_of(rival.delimiter)} {_agreement(rival)}" for rival in rivals if rival.width >= 2]
    tried += [f"the first line has no {' and no '.join(alone)}"] if alone else []
    if best.width < 2:
        return "by default: no candidate divides the first line (confidence 0 %)"
    return f"detected: {_agreement(best)} (confidence {100 * detected.confidence:.0f} %); {'; '.join(tried)}"


def _agreement(candidate: Candidate) -> str:
    share = "all" if candidate.alike == candidate.records else f"{candidate.alike:,} of"
    return f"gives {share} {candidate.records:,} sampled lines {candidate.width:,} fields"


def _evidence(detected: Detected) -> tuple[dict[str, object], ...]:
    return tuple(
        {"delimiter": one.delimiter, "fields": one.width, "lines_alike": one.alike, "lines": one.records}
        for one in detected.candidates
    )


def _header(layout: Layout) -> Fact:
    if layout.header is None:
        return Fact("header", "none", "as told; columns are numbered")
    changed = reasons_of_names(layout)
    why = f"{len(changed):,} of {len(layout.names):,} columns have another name than it says" if changed else ""
    evidence = tuple(
        {"position": place, "header": said, "name": name}
        for place, (said, name) in enumerate(zip(layout.header, layout.names, strict=True), 1)
        if said != name
    )
    return Fact(
        "header", "first line" if not layout.options.skip_lines else "first line that is not skipped", why, evidence
    )
