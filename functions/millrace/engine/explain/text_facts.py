"""Facts about text: its encoding, and a CSV file's dialect and header, each with what speaks for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from millrace.engine.explain.facts import Fact, shown
from millrace.engine.formats.csv.detecting.detection import Detected
from millrace.engine.formats.csv.detecting.judging import Candidate, Trailing
from millrace.engine.formats.csv.layout import Layout
from millrace.engine.formats.csv.wording import count_fields, count_lines, shorten
from millrace.engine.formats.lines.texts import LineLayout
from millrace.engine.formats.streams.encoding import Encoding
from millrace.engine.options import FixedField

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
        Fact("quote", _name_of(dialect.quote), _why_quote(layout)),
        Fact("escape", _name_of(dialect.escape), _why_escape(layout)),
        *_titles(layout),
        *_left_out(layout),
        *_trailing(layout),
        _header(layout),
        *_lacking(layout),
    )


def facts_of_fixed_width(layout: LineLayout) -> tuple[Fact, ...]:
    """The encoding, the layout, and the characters that are in no field."""
    fields = sorted(layout.options.fixed_width, key=lambda field: field.start)
    places = ", ".join(f"{field.name} {field.start:,}-{field.end - 1:,}" for field in fields)
    facts = (fact_of_encoding(layout.encoding), Fact("layout", shown(places), "as told, in characters counted from 1"))
    gaps = ", ".join(_gaps(fields))
    if not gaps:
        return facts
    return (*facts, Fact("not read", shown(gaps), "characters between the fields of the layout"))


def _gaps(fields: Sequence[FixedField]) -> Iterator[str]:
    end = 1
    for field in fields:
        if field.start > end:
            yield f"{end:,}-{field.start - 1:,}"
        end = field.end


def facts_of_log(layout: LineLayout) -> tuple[Fact, ...]:
    """The encoding and the preset."""
    preset = str(layout.options.log_preset)
    return (fact_of_encoding(layout.encoding), Fact("preset", preset, f"as told: {len(layout.names):,} columns"))


def _titles(layout: Layout) -> tuple[Fact, ...]:
    """The lines above the table, if there are some."""
    if not layout.titles:
        return ()
    why = f"{' / '.join(map(shorten, layout.titles))}: fewer values than all lines below, so that they are no rows"
    return (Fact("title", count_lines(len(layout.titles)), why),)


def _trailing(layout: Layout) -> Iterator[Fact]:
    """The delimiter at the end of every row, if there is one."""
    if not layout.has_trailing:
        return
    where = "in every line"
    if layout.detected.trailing is Trailing.BELOW_HEADER:
        where = "in every line but the header"
    yield Fact("trailing delimiter", where, "nothing is behind it in any row, so that it makes no column")


def _left_out(layout: Layout) -> Iterator[Fact]:
    """What options leave out of the file's lines."""
    if layout.options.comment:
        yield Fact("comment", layout.options.comment, "as told: lines that begin so are no rows")
    if layout.options.skip_footer:
        yield Fact("footer", count_lines(layout.options.skip_footer), "as told: the last lines are no rows")


def _why_quote(layout: Layout) -> str:
    quote = layout.dialect.quote
    if layout.dialect.lenient:
        return "as told: other quotes are characters of their fields"
    if layout.options.quote is not None:
        return "as told"
    if quote == '"':
        return "by default"
    if quote is None:
        return f"detected: quotes are where CSV has none, and without quoting each line {_one_width(layout)}"
    return f"detected: fields are within it, and so each line {_one_width(layout)}"


def _why_escape(layout: Layout) -> str:
    if layout.options.escape is not None:
        return "as told"
    if layout.dialect.escape:
        return f"detected: with it no quote is where CSV has none, and each line {_one_width(layout)}"
    return "by default"


def _one_width(layout: Layout) -> str:
    return f"has {count_fields(layout.detected.candidates[0].width)}"


def _lacking(layout: Layout) -> tuple[Fact, ...]:
    """The columns whose types are demanded, and that the file does not have."""
    lacking = [name for name in layout.options.column_types if name not in layout.names]
    if not lacking:
        return ()
    return (Fact("lacks", shown(", ".join(lacking)), "a type is demanded of it, and the file has no such column"),)


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
    if detected.named_by_file:
        return "as the file says in a line of its own before the header"
    if detected.delimiter_is_given:
        return "as told, or as the file's extension says"
    best, *rivals = detected.candidates
    if best.width < 2:
        return "by default: no candidate divides the first line (confidence 0 %)"
    reasons = "; ".join(_reasons_against(rivals, best))
    return f"detected: {_agreement(best)} (confidence {100 * detected.confidence:.0f} %); {reasons}"


def _reasons_against(rivals: Sequence[Candidate], best: Candidate) -> Iterator[str]:
    """Why each of the other candidates is not the delimiter, those that are not in the first line together at last."""
    absent = list[str]()
    for rival in rivals:
        if rival.width > 1:
            yield f"{_name_of(rival.delimiter)} {_agreement(rival)}{_lost(rival, best)}"
        else:
            absent.append(_name_of(rival.delimiter))
    if absent:
        yield f"the first line has no {' and no '.join(absent)}"


def _agreement(candidate: Candidate) -> str:
    share = f"{candidate.alike:,} of"
    lines = candidate.records - candidate.titles
    if candidate.alike == lines:
        share = "all"
    below = ""
    if candidate.titles:
        below = " below the title"
    return f"gives {share} {lines:,} sampled lines{below} {candidate.width:,} fields"


def _lost(rival: Candidate, best: Candidate) -> str:
    """Why a delimiter that explains every line, or nearly so, is not the file's."""
    if rival.strays:
        return " but finds quotes inside fields"
    if not rival.explains_all:
        return ""
    if round(rival.plausible, 2) < round(best.plausible, 2):
        return f" that look less like values ({100 * rival.plausible:.0f} % against {100 * best.plausible:.0f} %)"
    return " and, being the comma, loses to another that explains every line"


def _evidence(detected: Detected) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            "delimiter": candidate.delimiter,
            "fields": candidate.width,
            "lines_alike": candidate.alike,
            "lines": candidate.records,
            "plausible": round(candidate.plausible, 3),
        }
        for candidate in detected.candidates
    )


def _header(layout: Layout) -> Fact:
    if layout.header is None:
        return Fact("header", "none", "as told; columns are numbered")
    changed = reasons_of_names(layout)
    why = ""
    if changed:
        why = f"{len(changed):,} of {len(layout.names):,} columns have another name than it says"
    evidence = tuple(
        {"position": position, "header": said, "name": name}
        for position, (said, name) in enumerate(zip(layout.header, layout.names, strict=True), 1)
        if said != name
    )
    return Fact("header", _line_of_header(layout), why, evidence)


def _line_of_header(layout: Layout) -> str:
    if layout.options.skip_lines:
        return "first line that is not skipped"
    if layout.titles:
        return "first line below the title"
    return "first line"
