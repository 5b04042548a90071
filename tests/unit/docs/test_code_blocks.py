"""Every block of code in README and docs is run, validated or parsed, or the line above it says why not.

A block that nothing can try has ``<!-- not run: REASON -->`` in the line before it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from typer.exceptions import TyperException

from docs.site.example_pages import render_example
from millrace.cli.commands import COMMANDS, load_command
from millrace.config.document import Document
from tests.places import EXAMPLES, ROOT
from tests.unit.docs.pages import PAGES, CodeBlock, blocks_of, without_code

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
RUN_ELSEWHERE = {
    "docs/deploying.md": "tests/infra/test_own_app.py",
    "docs/engine.md": "tests/unit/engine/test_public_face.py",
}
"""Pages whose Python is run by another test."""
NO_CODE = {"text", "mermaid"}
"""Output, traces and pictures; the site's strict build draws the last."""
PROGRAMS = {
    "aws": "it needs an account",
    "npx": "it needs an account; the end-to-end suite runs the same `cdk deploy`",
    "pip": "it installs",
    "uvx": "it installs",
    "python": "the file after it is tried as far as it is ours",
    "source": "it changes the shell",
    "docker": "it needs Docker",
    "git": "it needs the repository's address",
    "SEED=n": "pytest with a seed, as the simulation's tests say",
}
"""Programs of others that a block may call, and why the test does not."""
OF_THE_WHOLE = {"--help", "--version", "--install-completion", "--show-completion"}
"""Options of the command line as a whole."""
_INLINE = re.compile(r"`(millrace [^`\n]+)`")


def _commands_of(block: CodeBlock) -> Iterator[str]:
    """The command lines of a block: those behind ``$``, if it shows any so, or all, continued lines as one."""
    lines = _join_quoted(block.code.replace("\\\n", " ").splitlines())
    shown = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    yield from shown or filter(str.strip, lines)


def _join_quoted(lines: list[str]) -> list[str]:
    """Lines with those that a quoted text goes on in: ``--pattern '{`` and ``}'`` are one."""
    joined: list[str] = []
    for line in lines:
        if joined and joined[-1].count("'") % 2:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return joined


def check_shell(block: CodeBlock) -> None:
    for line in _commands_of(block):
        for part in line.split(" && "):
            _check_command(shlex.split(part, comments=True))


def _check_command(words: list[str]) -> None:
    match words:
        case [program, *rest] if program.removeprefix(".venv/bin/") == "millrace":
            parse_command(rest)
        case ["make", *rest]:
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
            assert {word for word in rest if "=" not in word} <= set(targets)
        case ["cp", source, *_]:
            assert (ROOT / source).exists()
        case [program, *_]:
            assert program in PROGRAMS, f"{program}: neither ours nor in the list of programs that are not run"


def parse_command(words: list[str]) -> None:
    """Have the real command's parser read its words, without running it; a wrong option or value raises."""
    if words and words[0] in OF_THE_WHOLE:
        return
    name, *rest = words
    entry = next((entry for entry in COMMANDS if entry.name == name), None)
    assert entry is not None, f"no command {name}"
    command: Any = _load_once(entry)
    context = command.make_context(name, list(rest))
    while hasattr(command, "commands") and context._protected_args + context.args:
        left = context._protected_args + context.args
        _, command, left = command.resolve_command(context, left)
        context = command.make_context(command.name, list(left), parent=context)


_load_once = cache(load_command)


def check_yaml(block: CodeBlock) -> None:
    """Read as a configuration, or, if it is a part of one, as one that is completed with what it names."""
    content = yaml.safe_load(block.code)
    if content is not None:
        Document.model_validate(_complete(content))


def _complete(content: dict[str, Any]) -> dict[str, Any]:
    if "schemas" in content:
        content = {"bulk_syncs": [{**_SYNC, **content}]}
    if "bulk_syncs" not in content and "connections" not in content:
        content = {"bulk_syncs": [{**_SYNC, "name": name} for name in _names_of_syncs(content)], **content}
    if "connections" not in content:
        names = {sync[end] for sync in content["bulk_syncs"] for end in ("source_connection", "destination_connection")}
        content = {"connections": [_connection(name) for name in sorted(names)], **content}
    return content


_SYNC = {
    "name": "a sync",
    "source_connection": "landing",
    "destination_connection": "lake",
    "destination_configuration": {"format": "parquet"},
}


def _names_of_syncs(content: dict[str, Any]) -> list[str]:
    return sorted({name for webhook in content.get("webhooks", ()) for name in webhook.get("syncs", ())}) or ["a sync"]


def _connection(name: str) -> dict[str, Any]:
    """One that both a sync of objects and one of a single table can read."""
    configuration: dict[str, Any] = {
        "auth_mode": "execution_role",
        "s3_bucket_name": f"s3://acme-{name}",
        "s3_bucket_region": "eu-central-1",
    }
    if name == "landing":
        configuration |= {
            "enable_event_notifications": True,
            "event_queue_arn": "managed",
            "is_single_table": True,
            "is_directory_snapshot": True,
            "directory_glob_pattern": "*",
            "single_table_file_formats": ["csv"],
        }
    return {"name": name, "configuration": configuration}


def check_sql(block: CodeBlock) -> None:
    duckdb = pytest.importorskip("duckdb", reason="it parses the queries; it is in the extra bench")
    assert len(duckdb.extract_statements(block.code)) == 1


def check_json(block: CodeBlock) -> None:
    json.loads(block.code)


def check_python(block: CodeBlock) -> None:
    compile(block.code, str(block), "exec")
    assert block.page in RUN_ELSEWHERE, "no test runs the Python of this page"


CHECKS: dict[str, Callable[[CodeBlock], None]] = {
    "": check_shell,
    "yaml": check_yaml,
    "json": check_json,
    "sql": check_sql,
    "python": check_python,
}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_is_tried_or_says_why_not(block: CodeBlock) -> None:
    if block.reason is not None:
        assert len(block.reason) > 20, "say why it is not run"
    elif block.language not in NO_CODE:
        CHECKS[block.language](block)


def test_the_commands_of_a_guide_are_real() -> None:
    guide = render_example(EXAMPLES / "fields", "fields")
    code = guide.rpartition("```\nmillrace")[2].partition("```")[0]

    check_shell(CodeBlock("guide", 1, "", f"millrace{code}", None))


def _inline_commands() -> dict[str, str]:
    """Each command within a sentence or a table, with a page that has it."""
    found: dict[str, str] = {}
    for page in PAGES:
        for command in _INLINE.findall(without_code(page)):
            found.setdefault(command, page.name)
    return found


@pytest.mark.parametrize("command", sorted(_inline_commands()))
def test_a_command_in_a_sentence_has_options_that_there_are(command: str) -> None:
    """It may lack what a command requires, and have ``N`` or ``KEY`` for a value: it is a mention."""
    # ``<your account>`` is one word for a reader.
    words = shlex.split(re.sub(r"<[^>]*>", "X", command).replace("\\|", "|"))[1:]
    if words[0] == "COMMAND" or {"--help", "[OPTIONS]"} & set(words):
        return
    try:
        parse_command(words)
    except TyperException as error:
        said = str(error) or error.format_message()
        assert "No such option" not in said, (said, _inline_commands()[command])
        assert "No such command" not in said, (said, _inline_commands()[command])


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("millrace status --nonsense", TyperException),
        ("millrace nonsense", AssertionError),
        ("millrace runs nonsense", TyperException),
        ("make nonsense", AssertionError),
        ("rm -rf /", AssertionError),
        ("cp examples/nothing.yaml millrace.yaml", AssertionError),
    ],
)
def test_a_wrong_command_is_noticed(code: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        check_shell(CodeBlock("page", 1, "", code, None))
