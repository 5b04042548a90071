"""The explanations of errors around the data: services, grants, races, messages and commands."""

from __future__ import annotations

from millrace.cli.errors.guides import ErrorBranch, ErrorGuide

_WAIT = "Nothing: it is tried again."
_NO_ATTEMPT = "The message goes back to its queue, and that is no attempt: it may wait as often as it must."
_OF_A_COMMAND = "The command prints the message and ends with exit code 1."


def _explain_transient(name: str, meaning: str, example: str, remedy: str, outcome: str = "") -> ErrorGuide:
    return ErrorGuide(name, ErrorBranch.TRANSIENT, meaning, example, remedy, outcome)


CONFIGURATION_GUIDES = (
    ErrorGuide(
        "ConfigurationError",
        ErrorBranch.CONFIGURATION,
        "The work cannot succeed until somebody changes the configuration or a grant.",
        "s3:ListObjectsV2 on s3://acme-in was answered from another region; set the connection's s3_bucket_region to "
        "where the bucket is",
        "Mend what the message names, deploy if it was the configuration, then run `millrace resume`.",
    ),
    ErrorGuide(
        "InvalidConfiguration",
        ErrorBranch.CONFIGURATION,
        "The configuration file contradicts itself or its rules.\nAll problems are shown, each with its path.",
        "connections[0].configuration.s3_bucket: unknown field; did you mean 's3_bucket_name'?",
        "Correct the fields and run `millrace validate` again.",
        outcome=f"{_OF_A_COMMAND}\nA deployment with such a file is refused before anything is made.",
    ),
    ErrorGuide(
        "MissingPackage",
        ErrorBranch.CONFIGURATION,
        "A format, or a command, needs a package that is not installed here.",
        "Excel is read by the package python-calamine, which is not installed: pip install python-calamine",
        "Install what the message names.\nOn AWS, deploy again: the stack ships what the configuration's formats need.",
    ),
    ErrorGuide(
        "AccessDenied",
        ErrorBranch.CONFIGURATION,
        "A grant is missing: of the function's role, of the connection's role or keys, or of a KMS key.",
        "s3:PutObject on s3://acme-lake/orders/a.parquet was denied; grant it to the function's role, or to the role "
        "or keys of the connection, and its KMS key too",
        "`millrace connections` prints the policies that are needed, and `millrace doctor` tries each of them.\n"
        "Then run `millrace resume`.",
    ),
    ErrorGuide(
        "NoSuchBucket",
        ErrorBranch.CONFIGURATION,
        "A bucket of the configuration does not exist.",
        "s3:ListObjectsV2 on s3://acme-in found no such bucket; create it, or correct s3_bucket_name",
        "Create the bucket, or correct `s3_bucket_name` and deploy.\nThen run `millrace resume`.",
    ),
    ErrorGuide(
        "BadCredentials",
        ErrorBranch.CONFIGURATION,
        "Keys, role, external id or secret do not work.",
        "s3:GetObject on s3://acme-in/in/a.csv was refused because of the credentials; check the connection's keys, "
        "role and external id",
        "`millrace connections` prints the external id and the trust policy; its `store` keeps new keys.\n"
        "Then run `millrace resume`.",
    ),
    ErrorGuide(
        "CatalogRefused",
        ErrorBranch.CONFIGURATION,
        "A table cannot be in its catalog as it is, for example since its name is taken.\n"
        "Its outputs are there all the same.",
        "table sales.orders at s3://other/orders was made by another, and sync 'orders' would have one of that name; "
        "it is left alone",
        "Give the sync another `database`, or the table another name, and deploy.\n"
        "A table's name is `user_output_name` of a bulk sync's schema, or `object` of a model sync.",
        outcome="The object is converted; only its table is not catalogued, and the log and a metric say so.",
    ),
)

TRANSIENT_GUIDES = (
    _explain_transient(
        "TransientError",
        "The same work may succeed later, unchanged.",
        "s3:GetObject on s3://acme-in/in/a.csv failed and is tried again (503: Slow Down)",
        f"{_WAIT}\nIf it becomes a dead letter, see what the service had, then run `millrace redrive`.",
    ),
    _explain_transient(
        "ServiceUnavailable",
        "A service throttled, failed or could not be reached.",
        "s3:GetObject on s3://acme-in/in/a.csv failed and is tried again (503: Slow Down)",
        f"{_WAIT}\nIf it lasts, look at the AWS Health Dashboard and at your quotas.",
    ),
    _explain_transient(
        "WrongAnswer",
        "A service answered something else than it was asked for; nothing of the answer was used.",
        "s3:GetObject on s3://acme-in/in/a.csv was asked for bytes=0-1023 and answered 200 with ContentRange None",
        "If it comes again and again, a proxy or a server between does not know ranges: leave it out.",
    ),
    _explain_transient(
        "LostRace",
        "Another worker was quicker, and the truth is in the ledger by now.",
        "dynamodb:PutItem on millrace-ledger found that another worker was quicker",
        _WAIT,
    ),
    _explain_transient(
        "WorkInFlight",
        "Something that must be done first is being done by another worker.",
        "table s3://acme-in/in/stock is being written from one of its files; tried again later",
        _WAIT,
        _NO_ATTEMPT,
    ),
    _explain_transient(
        "TargetChanged",
        "At the output's key is another object than the write expected.\nNothing was overwritten.",
        "s3:PutObject on s3://acme-lake/orders/a.parquet found that the object was overwritten meanwhile",
        "Nothing: the work is judged again.\nIf another program writes there, give it another folder.",
    ),
    _explain_transient(
        "WriteConflict",
        "Two writes to one key came at the same moment, and S3 refused one of them.",
        "s3:PutObject on s3://acme-lake/orders/a.parquet met another write to the same key",
        _WAIT,
    ),
    _explain_transient(
        "ObjectChanged",
        "The object was overwritten while it was read.\nNothing of the mixture is kept.",
        's3:GetObject on s3://acme-in/in/a.csv (bytes=0-1023) answered the ETag "b", but "a" was opened; it '
        "is read from the start again",
        "Nothing: the newest version is read from its start.",
    ),
    _explain_transient(
        "MiscountedRows",
        "An output holds other rows than went into it.\n"
        "That is a defect of Millrace or of the machine, never of the data.",
        "12 rows were read, but 11 written, 0 quarantined and 0 filtered; nothing is published",
        "Please report it with the file.",
    ),
    _explain_transient(
        "OutOfTime",
        "The invocation ends before the work could.",
        "the message was not started: too little is left of the invocation",
        _WAIT,
        _NO_ATTEMPT,
    ),
    _explain_transient(
        "NotSettled",
        "Something that the message names must be tried again, so that it is not acknowledged.",
        "2 of what the message names must be tried again",
        "Look at the entries of these objects: `millrace show ADDRESS`.",
    ),
    _explain_transient(
        "WorksAlone",
        "A worker died over something that the message names.\n"
        "It is worked on behind the rest of its batch, so that it harms no other.",
        "a worker died over something that the message names",
        "Nothing: after three deaths the object fails as `Crashed`.",
        _NO_ATTEMPT,
    ),
)

OTHER_GUIDES = (
    ErrorGuide(
        "MessageError",
        ErrorBranch.MESSAGE,
        "The message cannot be understood.",
        "the message is not JSON (Expecting value: line 1 column 1 (char 0)); it begins 'hello'",
        "See what sent it: `millrace dead-letters` shows it.\nThen `millrace dead-letters --class CLASS --discard`.",
    ),
    ErrorGuide(
        "UnknownMessage",
        ErrorBranch.MESSAGE,
        "The message is none of the forms that Millrace reads.\n"
        "These are S3's notifications, also through SNS, EventBridge's events, and its own requests.",
        "a message with the fields ['foo'] is none of: S3 notification, SNS notification, EventBridge event",
        "See what sent it, and have it send elsewhere.\n"
        "`millrace dead-letters --class UnknownMessage --discard` removes what is there.",
    ),
    ErrorGuide(
        "ObjectGone",
        ErrorBranch.QUIET,
        "The object was deleted before it was read.",
        "s3:GetObject on s3://acme-in/in/a.csv found no such object",
        "Nothing: the event of the deletion, or the next comparison, settles it.",
        outcome="The message is acknowledged, and the entry becomes `removed`.",
    ),
    ErrorGuide(
        "NewerOutput",
        ErrorBranch.TRANSIENT,
        "The output was written under a higher fence than ours: a newer event was first, or the ledger lost entries.\n"
        "The newer output stays.",
        "s3://acme-lake/orders/a.parquet was written under fence 7, above ours, 5",
        "Nothing if the entry is `superseded`; if it is `failed`, run `millrace ledger rebuild`.",
        outcome="The entry becomes `superseded`, or `failed` if nothing proves that the output's source is newer.",
    ),
    ErrorGuide(
        "ObjectArchived",
        ErrorBranch.QUIET,
        "The object's bytes are in an archive tier of S3 and must be restored first.",
        "s3:GetObject on s3://acme-in/in/a.csv is in an archive tier; restore it (aws s3api restore-object), and the "
        "restore's event continues the work",
        "Restore the object if you want it converted.",
        outcome="The message is acknowledged, and the entry becomes `waiting` until the object is restored.",
    ),
    ErrorGuide(
        "UsageError",
        ErrorBranch.COMMAND,
        "A command, or a function that was invoked by hand, was used in a wrong way.",
        'history is \'yesterday\'; expected "due", or a UTC day such as "2026-11-28"',
        "Correct the command: `--help` has an example.",
        outcome="The command prints the message and ends with exit code 2.",
    ),
    ErrorGuide(
        "InvalidReference",
        ErrorBranch.COMMAND,
        "A text is not an object's address.",
        "'orders.csv' is not an object's address; expected s3://bucket/key",
        "Write the address with its bucket: `s3://bucket/key`.",
        outcome="The command prints the message and ends with exit code 2.",
    ),
    ErrorGuide(
        "MissingExtra",
        ErrorBranch.COMMAND,
        "A command, or a way to use it, needs packages that come with an extra of the package.",
        'millrace status needs boto3, which is not installed: pip install "millrace[aws]"',
        "Run the command at the message's end.",
        outcome="The command prints the message and ends with exit code 2.",
    ),
    ErrorGuide(
        "ProjectNotFound",
        ErrorBranch.COMMAND,
        "The files that a deployment is made of (stacks, handlers, locks) are not where they should be.",
        "the files of the stacks are not in this installation",
        "Install the package again, or work in a clone.",
        outcome=f"{_OF_A_COMMAND}\nNothing was deployed or changed.",
    ),
    ErrorGuide(
        "InvalidInventory",
        ErrorBranch.COMMAND,
        "A manifest of S3 Inventory, or one of its files, is not what the Amazon S3 User Guide says.",
        "s3://acme-inventory/manifest.json is no manifest of S3 Inventory",
        "Give `--inventory` the address of a `manifest.json`; CSV, ORC and Parquet are read.",
        outcome=f"{_OF_A_COMMAND}\nThe backfill does not begin.",
    ),
    ErrorGuide(
        "UnsortedStream",
        ErrorBranch.COMMAND,
        "A listing or an index did not come in the order of its keys, so that nothing can be concluded from it.",
        "key 'in/a.csv' came after 'in/b.csv'",
        "Run the comparison again; if it comes again, please report it.",
        outcome="The comparison ends, and nothing is changed on its account.",
    ),
    ErrorGuide(
        "KernelNotBuilt",
        ErrorBranch.COMMAND,
        "No compiler is here for the native kernel, or it refused the sources.\n"
        "Everything works without the kernel, only slower.",
        "No compiler was found: expected the Python package ziglang (`pip install ziglang`)",
        "Install `ziglang`, or a C compiler as `cc`, and run `make install` again.",
        outcome="The build says so, and the installation goes on without the kernel.",
    ),
)
