"""The error tree. An exception's branch is what becomes of the message that led to it.

MillraceError
├── TransientError            back to the queue with backoff; after five attempts to the dead-letter queue
│   ├── ServiceUnavailable      throttled, 5xx, connection lost
│   ├── WrongAnswer             a service answered something else than it was asked for; nothing of it was used
│   ├── LostRace                another worker was quicker; the truth is in the ledger by now
│   │   └── WorkInFlight          what must be done first is being done by another; waiting is no attempt
│   ├── TargetChanged           another object stands at the output's key than the write expected
│   ├── WriteConflict           two writes to one key at the same moment
│   ├── ObjectChanged           the object was overwritten while it was read
│   ├── MiscountedRows          an output holds other rows than went into it: a defect, and nothing is published
│   └── OutOfTime               the invocation ends before the work could; this is no attempt
├── DataError                 the entry becomes failed, with row and byte; acknowledged; never blocks another object
│   ├── MalformedFile           the bytes are not what the format asks for
│   ├── TruncatedFile           the bytes stop before the format's end
│   ├── WrongEncoding           the bytes are not text in the named encoding
│   ├── AmbiguousDialect        a CSV file can be read in two ways, and nothing in it says which is meant
│   ├── StrayQuote              a quote where CSV has none: values would lose characters
│   ├── RaggedRow               a row has more or fewer fields than the header
│   ├── MisfitLine              a line of a log or of a fixed layout that is not of its preset's or layout's form
│   ├── ValueDoesNotFit         a value is not of the type the configuration demands
│   ├── UnsupportedType         the target format has no way to keep the value
│   ├── ForeignFormat           a file of another format than its table's
│   ├── SchemaFrozen            a file's fields or types are not its table's, which may not change
│   ├── UnknownField            the configuration names a field that the table does not have
│   ├── UnknownSheet            the configuration names none of the workbook's sheets, or several could be meant
│   ├── DuplicateIdentifier     two rows have the same value in the field that must tell them apart
│   ├── BadArchive              a member that cannot be read, or two of one name
│   ├── ArchiveTooBig           more members, bytes or compression than an archive may have
│   ├── KeyTooLong              the output's key would exceed what S3 allows
│   ├── ObjectDenied            this object may not be read, others of its connection may
│   ├── NotAccepted             S3 or DynamoDB refuses the object or its entry, whoever asks and whenever
│   ├── OutputCollision         two sources share one output, or a stranger's object stands there
│   ├── TooManyPartitions       more values of a partition key than one object is divided into
│   ├── Crashed                 three workers died over it
│   └── TooBig                  more than one invocation can do
│       └── CannotBeCut           and parts of it cannot be read, or joined, by several
├── ConfigurationError        the entry becomes failed: configuration; the message stays in the queue
│   ├── InvalidConfiguration    the configuration file contradicts itself or the rules
│   ├── MissingPackage          a format needs a package that is not installed here
│   ├── AccessDenied            a grant is missing
│   ├── NoSuchBucket            a bucket of the configuration does not exist
│   └── BadCredentials          keys, role, external id or secret do not work
├── MessageError              to the dead-letter queue at once, with the reason
│   └── UnknownMessage          no shape that we know
├── ObjectGone                quiet: deleted before it was read
├── ObjectArchived            quiet: waits for its restore
└── UsageError                wrong use of the command line or of a manual invocation
    └── InvalidReference        not s3://bucket/key
"""

from __future__ import annotations


class MillraceError(Exception):
    """Any error that Millrace raises on purpose; its text says what, where and what to do next."""


class TransientError(MillraceError):
    """The same work may succeed later, unchanged."""


class ServiceUnavailable(TransientError):
    """A service throttled, failed or could not be reached."""


class WrongAnswer(TransientError):
    """A service answered something else than it was asked for; nothing of it was used."""


class LostRace(TransientError):
    """Another worker changed the ledger or the output first."""


class WorkInFlight(LostRace):
    """What must be done first is in flight under another claim; the message waits for it, which is no attempt."""


class TargetChanged(TransientError):
    """Another object stands at the output's key than the write expected."""


class WriteConflict(TransientError):
    """Two writes to one key at the same moment."""


class ObjectChanged(TransientError):
    """The object was overwritten while it was read."""


class MiscountedRows(TransientError):
    """An output holds other rows than went into it: a defect of Millrace or of the machine, never of the data."""


class OutOfTime(TransientError):
    """The invocation ends before the work could."""


class DataError(MillraceError):
    """The content cannot become a whole output; ``row`` counts data rows from 1, ``byte`` counts from 0."""

    def __init__(
        self, message: str, *, row: int | None = None, byte: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.row = row
        self.byte = byte
        self.column = column


class MalformedFile(DataError):
    """The bytes are not what the format asks for."""


class TruncatedFile(DataError):
    """The bytes stop before the format's end."""


class WrongEncoding(DataError):
    """The bytes are not text in the named encoding."""


class AmbiguousDialect(DataError):
    """A CSV file can be read in two ways, and nothing in it says which is meant."""


class StrayQuote(DataError):
    """A quote stands where CSV has none, so that a value would lose characters."""


class RaggedRow(DataError):
    """A row has more or fewer fields than the header."""


class MisfitLine(DataError):
    """A line of a log or of a fixed layout that has not the form of its preset or layout."""


class ValueDoesNotFit(DataError):
    """A value is not of the type the configuration demands."""


class UnsupportedType(DataError):
    """The target format has no way to keep the value."""


class ForeignFormat(DataError):
    """A file of another format than its table's."""


class SchemaFrozen(DataError):
    """A file's fields or types are not its table's, which may not change; ``column`` is the field's name."""


class UnknownField(DataError):
    """The configuration names a field that the table does not have; ``column`` is its name."""


class UnknownSheet(DataError):
    """The configuration names none of the workbook's sheets, or none where several could be meant."""


class DuplicateIdentifier(DataError):
    """Two rows have the same value in the field that must tell them apart; ``row`` is the later one."""


class BadArchive(DataError):
    """An archive holds a member that cannot be read, or two of one name."""


class ArchiveTooBig(DataError):
    """An archive has more members, bytes or compression than it may."""


class KeyTooLong(DataError):
    """The output's key would exceed what S3 allows."""


class ObjectDenied(DataError):
    """This object may not be read, though others of its connection may."""


class NotAccepted(DataError):
    """S3 or DynamoDB refuses the object, or what is written about it, whoever asks and whenever."""


class OutputCollision(DataError):
    """Two sources share one output, or an object that Millrace did not write stands there."""


class TooManyPartitions(DataError):
    """More values of a partition key than one object is divided into."""


class Crashed(DataError):
    """Its workers died again and again; another would die, too."""


class TooBig(DataError):
    """More than one invocation can do."""


class CannotBeCut(TooBig):
    """More than one invocation can do, and what several would do apart cannot be told apart, or made one."""


class ConfigurationError(MillraceError):
    """The work cannot succeed until somebody changes configuration or grants."""


class InvalidConfiguration(ConfigurationError):
    """The configuration contradicts itself or the rules; ``problems`` holds one line each, with its path."""

    def __init__(self, problems: list[str] | str) -> None:
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class MissingPackage(ConfigurationError):
    """A format needs a package that is not installed here."""


class AccessDenied(ConfigurationError):
    """A grant is missing."""


class NoSuchBucket(ConfigurationError):
    """A bucket of the configuration does not exist."""


class BadCredentials(ConfigurationError):
    """Keys, role, external id or secret do not work."""


class MessageError(MillraceError):
    """The message cannot be understood and must not be acknowledged."""


class UnknownMessage(MessageError):
    """No shape that we know."""


class ObjectGone(MillraceError):
    """The object was deleted before it was read."""


class ObjectArchived(MillraceError):
    """The object's bytes are in an archive tier and must be restored first."""


class UsageError(MillraceError):
    """Wrong use of the command line or of a manual invocation."""


class InvalidReference(UsageError):
    """Not an object's address."""
