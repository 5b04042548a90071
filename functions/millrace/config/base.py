"""What every section of the configuration shares: frozen, nothing unknown, blanks not given, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self, TypeAlias, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from millrace.engine.names import suggestion

_T = TypeVar("_T")


class Contradiction(NamedTuple):
    """What is wrong with a section as a whole: the field to look at and the sentence to show."""

    field: str
    text: str


def doc(*, when: str = "") -> dict[str, Any]:
    """Mark a field that Polytomic documents; ``when`` says what it depends on."""
    return {"x-mark": "doc"} | ({"x-when": when} if when else {})


def ours(*, when: str = "") -> dict[str, Any]:
    """Mark a field, or a rule, that is Millrace's own; ``when`` says what it depends on."""
    return {"x-mark": "ours"} | ({"x-when": when} if when else {})


def unexpected(expected: str) -> PydanticCustomError:
    """Build the error of one value: shown as what was found and what was ``expected``, in the words given."""
    return PydanticCustomError("unexpected", "{expected}", {"expected": expected})


def _not_empty(items: tuple[_T, ...]) -> tuple[_T, ...]:
    """Refuse an empty list; a minimum length would also miss items that are there but wrong."""
    if not items:
        raise unexpected("at least one item")
    return items


NonEmpty = Annotated[tuple[_T, ...], AfterValidator(_not_empty)]
AT_LEAST_ONE: dict[str, Any] = {"minItems": 1}
"""For the JSON Schema of a NonEmpty field."""


def is_blank(value: object) -> bool:
    """Tell whether a value means "not given": nothing, or the empty text of a blank form."""
    return value is None or value == ""


def drop_blanks(fields: Mapping[Any, Any]) -> dict[Any, Any]:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if not is_blank(value)}


class Section(BaseModel):
    """One object of the configuration file.

    ``place`` says where it stands in the file. ``synonyms`` are other names that are read as a field's. ``read_only``
    are fields that are shown, and refused as input. ``shorthand`` is the field that bare text stands for.
    """

    # Built at the first validation: most sections are only ever read as parts of a whole document, which is one build.
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re", defer_build=True
    )

    place: ClassVar[str] = ""
    synonyms: ClassVar[Mapping[str, str]] = {}
    read_only: ClassVar[Mapping[str, str]] = {}
    shorthand: ClassVar[str] = ""

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[Contradiction]:
        """Yield what is wrong between the fields; ``given`` is raw, its blanks removed, its values not yet checked."""
        del given
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _report_everything(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if cls.shorthand and isinstance(data, str):
            data = {cls.shorthand: data}
        if not isinstance(data, Mapping):
            return handler(data)
        given = cls._without_blanks(data)
        contradictions = [*cls._said_twice(data), *cls.contradictions(given)]
        errors = [_rule(field, text, data.get(field)) for field, text in contradictions]
        # Pydantic's own errors come first; ours are added, so that a person sees all problems of a section at once.
        try:
            section = handler(given)
        except ValidationError as error:
            errors = [*map(cls._explain, error.errors(include_url=False)), *errors]
        else:
            if not errors:
                return section
        raise ValidationError.from_exception_data(cls.__name__, errors, hide_input=True)

    @classmethod
    def _without_blanks(cls, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """The fields that are given, by their own names; blanks of unknown fields stay, so that they are refused."""
        kept: dict[Any, Any] = {}
        for key, value in data.items():
            if not is_blank(value):
                kept[cls.synonyms.get(key, key)] = value
            elif not cls._knows(key):
                kept[key] = value
        return kept

    @classmethod
    def _said_twice(cls, data: Mapping[Any, Any]) -> Iterator[Contradiction]:
        for synonym, field in cls.synonyms.items():
            if not is_blank(data.get(synonym)) and not is_blank(data.get(field)):
                yield Contradiction(synonym, f"given twice: it is another name for {field}; remove one of the two")

    @classmethod
    def _knows(cls, name: object) -> bool:
        return name in cls.model_fields or name in cls.synonyms or name in cls.read_only

    @classmethod
    def _explain(cls, detail: Any) -> InitErrorDetails:
        if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
            name = str(detail["loc"][0])
            return _rule(name, cls._why_unknown(name), None)
        kept = PydanticCustomError(detail["type"], "{message}", {"message": detail["msg"], **detail.get("ctx", {})})
        return InitErrorDetails(type=kept, loc=detail["loc"], input=detail["input"])

    @classmethod
    def _why_unknown(cls, name: str) -> str:
        if name in cls.read_only:
            return f"read-only, not an input: remove it; {cls.read_only[name]}"
        # A slip of the pen before a wrong place: `s3_bucket_nam` is meant here.
        if close := suggestion(name, cls.model_fields):
            return f"unknown field{close}"
        if elsewhere := sorted({s.place for s in all_sections() if s.place and name in s.model_fields}):
            return f"misplaced field; it belongs in {' or '.join(elsewhere)}"
        return f"unknown field; accepted are {', '.join(cls.model_fields)}"


_S = TypeVar("_S", bound=Section)


FieldGroup: TypeAlias = Mapping[str, tuple[Any, Any]]
"""Fields that several sections share, by their names; each is a type and a pydantic Field."""


def with_fields(*groups: FieldGroup) -> Callable[[type[_S]], type[_S]]:
    """Decorate a section: it has the fields of the groups behind its own. All at once, as making a class takes 5 ms."""
    fields: dict[str, Any] = {}
    for group in groups:
        fields.update(group)

    def extend(section: type[_S]) -> type[_S]:
        extended: Any = create_model(
            section.__name__, __base__=section, __module__=section.__module__, __doc__=section.__doc__, **fields
        )
        return cast("type[_S]", extended)

    return extend


def _rule(field: str, text: str, value: object) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("rule", "{text}", {"text": text}), loc=(field,), input=value)


def all_sections(parent: type[Section] = Section) -> Iterator[type[Section]]:
    """Yield every kind of section that there is below ``parent``."""
    for section in parent.__subclasses__():
        yield section
        yield from all_sections(section)
