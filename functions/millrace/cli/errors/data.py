"""The explanations of errors in the data: the file has to change, or how it is read."""

from __future__ import annotations

from millrace.cli.errors.guides import ErrorBranch, ErrorGuide

_AGAIN = "Upload the mended file: that is enough."


def _explain_data(name: str, meaning: str, example: str, remedy: str) -> ErrorGuide:
    return ErrorGuide(name, ErrorBranch.DATA, meaning, example, remedy)


DATA_GUIDES = (
    _explain_data(
        "DataError",
        "The content cannot become a whole output.\nThe classes below it say why.",
        "row 2 at byte 13 has 3 fields where 2 are expected",
        f"Read the message: it names the place and what can be done.\n{_AGAIN}",
    ),
    _explain_data(
        "MalformedFile",
        "The bytes are not what the format asks for.",
        "row 2 at byte 15: no JSON value stands here",
        f"Mend the file at that byte, or set the format that it really has.\n{_AGAIN}\n"
        "`bad_rows: quarantine` puts such rows aside, if the format has rows that can be found again.",
    ),
    _explain_data(
        "TruncatedFile",
        "The bytes stop before the format's end, as after an upload that was cut off.",
        "the gz file stops before its end, after 7 bytes of content",
        "Compare the object's size with that of the original, and upload it again.",
    ),
    _explain_data(
        "WrongEncoding",
        "The bytes are not text in the encoding that is set, or in UTF-8 if none is.",
        "the byte 0xfc at offset 7 is not UTF-8 text; say which encoding the file has with --encoding",
        "Set `csv_encoding` of the connection or table (`cp1252` is frequent for exports from Windows).\n"
        "Then deploy, and reprocess the object.",
    ),
    _explain_data(
        "AmbiguousDialect",
        "A CSV file can be read in two ways, and nothing in it says which is meant.\n"
        "Millrace does not guess, since one of the readings is silently wrong.",
        "the first 2 lines begin with #, and no line behind them does: “# a”; set --comment '#' if they are "
        "comments, or say --delimiter if they are a header and rows",
        "Set the option that the message offers for the reading that you mean.\n"
        "`millrace explain FILE` shows what was found.",
    ),
    _explain_data(
        "StrayQuote",
        "A quote is at a place where CSV has none, so that a value would lose characters.",
        'row 1 at byte 8: a quote (") inside a field, or text behind a closing quote, at byte 16 is not CSV: '
        '“1,"say "hello", twice"”',
        f"Double the quotes within quoted fields at the file's source.\n{_AGAIN}\n"
        "Or choose a way to read it: `csv_quotes: lenient` keeps such characters, and `csv_quote: none` reads all "
        "quotes as text.",
    ),
    _explain_data(
        "RaggedRow",
        "A row has more or fewer fields than the header.",
        "row 2 at byte 13 has 3 fields where 2 are expected: “2,6,7”",
        f"Mend the row, which most often lacks quotes around a value with a delimiter.\n{_AGAIN}\n"
        "`bad_rows: quarantine` puts such rows aside and converts the others.\n"
        "Lines of totals are dropped by `csv_skip_footer`, comments by `csv_comment`.",
    ),
    _explain_data(
        "MisfitLine",
        "A line of a log, or of a file with fixed fields, does not have the form of its preset or layout.",
        "row 1 at byte 0 has not the form of its preset, 17 fields or more from 'type' on: “hello”",
        "Check `log_preset` or `fixed_width` against that line.\n`bad_rows: quarantine` puts such lines aside.",
    ),
    _explain_data(
        "ValueDoesNotFit",
        "A value is not of the type that `column_types` or `type_hints` demand.",
        "row 2 at byte 14: 'x' in the field 'total' is no integer; give the field a wider type, or put such rows aside",
        "Give the field a wider type, or mend the value.\n`bad_rows: quarantine` puts such rows aside.",
    ),
    _explain_data(
        "UnsupportedType",
        "The target's format has no way to keep a value of that type.",
        "values of the type duration[s] have no text form; write them to parquet, or leave them out",
        "Write Parquet, leave the field out, or give it another type.",
    ),
    _explain_data(
        "ForeignFormat",
        "A table has files of one format, and this one is of another, or its name says none.",
        "s3://acme-in/in/orders/notes.csv is a csv file; those of table 'orders' are json",
        "Move the file elsewhere, give it an extension, or name its format in the connection.",
    ),
    _explain_data(
        "SchemaFrozen",
        "A file's fields or types are not those of its table, and `schema_evolution: freeze` keeps the table as it is.",
        "the field 'discount' is new to the table (s3://acme-in/in/orders), whose schema is frozen",
        "Mend the file, or let the table change (`evolve`), or keep such values apart (`rescue`).\n"
        "Then deploy, and reprocess the object.",
    ),
    _explain_data(
        "UnknownField",
        "The configuration names a field that the file does not have.",
        "filters names the field 'stat', which the table does not have; its fields are 'id', 'state'; did you "
        "mean 'state'?",
        "Correct the name in the configuration and deploy, or have the file's source write the field.",
    ),
    _explain_data(
        "UnknownSheet",
        "The configuration names none of the workbook's sheets, or several have cells and it names none.",
        "excel_sheet: 2 sheets of the workbook have cells, and one is a table: say which of 'Q1', 'Q2'",
        "Set `excel_sheet` to a name, to a number from 1, or to `all` for a table of each sheet.",
    ),
    _explain_data(
        "DuplicateIdentifier",
        "Two rows have the same value in the field that tells rows apart.",
        "rows 1 and 2 have the same id '1', and it is the model's identifier",
        "Mend the data, choose another `identifier`, or let the last row win.",
    ),
    _explain_data(
        "BadArchive",
        "An archive has a member that cannot be read, or two of one name, or none that is read.",
        "two members have the name 'a.csv': which one counts? Pack the archive anew",
        "Pack the archive again without it.\nArchives inside archives are not opened: unpack them first.",
    ),
    _explain_data(
        "ArchiveTooBig",
        "An archive has more members or bytes than it may, or unpacks to so much that it looks like a bomb.",
        "the archive has more than 10,000 members, which is the most; split it",
        "Split the archive.\nThe limits are in limits.md.",
    ),
    _explain_data(
        "KeyTooLong",
        "The output's key would be longer than the 1,024 bytes that S3 allows.",
        "the output's key would have 1031 bytes, S3 allows 1024: s3://acme-lake/…; shorten it",
        "Shorten the object's name, its folders, or `subfolder`.\n"
        "With `partition_key`, choose a field with shorter values.",
    ),
    _explain_data(
        "ObjectDenied",
        "This one object may not be read, while others of its connection may.\n"
        "So the cause is its owner, its access control list, or its KMS key.",
        "s3:GetObject on s3://acme-in/in/a.csv was denied. Other objects of connection 'landing' can be read, "
        "such as s3://acme-in/in/b.csv: so it is the owner, the access control list or the KMS key of this one",
        "Grant the object, or write it again under your own account and key.\n"
        "Then `millrace reprocess SYNC --key KEY`.",
    ),
    _explain_data(
        "NotAccepted",
        "S3 or DynamoDB refuses the object or its entry, whoever asks and whenever.",
        "s3:GetObject on s3://acme-in/in/a.csv was refused as invalid; an object that is encrypted by a key of "
        "the client's own (SSE-C) cannot be read: upload it again under SSE-S3 or SSE-KMS",
        "Do what the message says: upload it with another encryption, or under a shorter or plainer key.",
    ),
    _explain_data(
        "OutputCollision",
        "Two sources would have one output, or at the output's key is an object that Millrace did not write.\n"
        "It is left as it is.",
        "s3://acme-lake/orders/a.parquet exists and was not written by Millrace; it is left as it is",
        "Move that object away, rename one of the sources, or give the sync another `subfolder`.\n"
        "Then reprocess the object.",
    ),
    _explain_data(
        "TooManyPartitions",
        "The field of `partition_key` has more values than one object is divided into.",
        "partition_key: the file has more than 1000 values in the field 'customer', which is the most that one "
        "object is divided into",
        "Choose a field with fewer values, or split the file.",
    ),
    _explain_data(
        "Crashed",
        "Three workers died over this object and left nothing but their leases.\n"
        "Most often the function has too little memory for it.",
        "3 workers died over s3://acme-in/in/big.json and left nothing but their leases: it may need more memory "
        "or more time than the function has",
        "Give the function more memory (`--context memory_mb=…`) or split the object.\nThen reprocess it.",
    ),
    _explain_data(
        "TooBig",
        "The object is more than one invocation can do, and it is not converted in parts.",
        "12 % of the file were converted after 840 s: it is more than one invocation can do",
        "Give the function more memory, with which its processors grow, or split the object.\n"
        "scale.md says what can be converted in parts.",
    ),
    _explain_data(
        "CannotBeCut",
        "The object is more than one invocation can do, and nothing in it shows where it could be divided.",
        "the file escapes with \\, which may be before a line feed, too; if it is text, set csv_escape: none",
        "Set the option that the message names, or write the file in a form that can be cut (UTF-8, one object "
        "a line, Parquet).",
    ),
)
