"""The command line as a user meets it: output, exit codes, no traceback."""

from __future__ import annotations

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from millrace import __version__
from millrace.aws.deployed import Deployed
from millrace.cli.commands import COMMANDS as ENTRIES
from millrace.cli.commands import load_command
from millrace.objects.references import ObjectRef
from tests.configurations import bulk_sync
from tests.places import EXAMPLES
from tests.unit.engine.native.kernels import require_kernel
from tests.world import World

KEYS = {
    "connections": [
        {
            "name": "partner",
            "type": "s3",
            "configuration": {
                "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
                "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "s3_bucket_name": "s3://partner/in",
                "s3_bucket_region": "us-east-1",
            },
        },
        {
            "name": "vendor",
            "type": "s3",
            "configuration": {
                "auth_mode": "iam_role",
                "iam_role_arn": "arn:aws:iam::123456789012:role/millrace",
                "s3_bucket_name": "vendor",
                "s3_bucket_region": "us-east-1",
            },
        },
    ]
}


@pytest.fixture
def keys(tmp_path: Path) -> str:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(KEYS))
    return str(path)


COMMANDS = (
    "demo",
    "convert",
    "explain",
    "validate",
    "schema",
    "connections",
    "status",
    "show",
    "plan",
    "reprocess",
    "reconcile",
)


def test_the_version_needs_no_command(run: Any) -> None:
    require_kernel()

    ran = run("--version")

    assert (ran.code, ran.out) == (0, f"millrace {__version__} (native kernel)\n")


def test_the_version_says_why_the_kernel_is_not_used(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_NATIVE", "0")

    assert run("--version").out == f"millrace {__version__} (no native kernel: MILLRACE_NATIVE=0 turns it off)\n"


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_itself(run: Any, command: str) -> None:
    ran = run(command, "--help")

    assert ran.code == 0
    assert len(ran.out) > 200


@pytest.mark.slow
@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_no_help_cuts_a_word_or_is_wider_than_its_terminal(
    run: Any, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)

    for entry in ENTRIES:
        lines = run(entry.name, "--help").out.splitlines()
        assert max(map(len, lines)) <= int(columns)
        assert [line for line in lines if re.search(r"\w…|,…", line)] == []
        for parameter in load_command(entry).params:
            assert any(parameter.opts[-1] in line for line in lines)


def test_examples_of_a_help_keep_their_lines(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    lines = [line.strip() for line in run("reprocess", "--help").out.splitlines()]

    assert "Examples: millrace reprocess to-parquet --state failed" in lines
    assert 'millrace reprocess to-parquet --key "in/2026 q1.csv"' in lines


def test_help_names_every_command_and_what_exit_codes_mean(run: Any) -> None:
    ran = run("--help")

    assert all(command in ran.out for command in COMMANDS)
    assert "2 wrong use" in ran.out


@pytest.mark.parametrize("arguments", [["nonsense"], ["convert", "--nonsense"], ["convert"], ["convert", "a.csv"]])
def test_wrong_use_is_exit_code_two(run: Any, arguments: list[str]) -> None:
    ran = run(*arguments)

    assert ran.code == 2
    assert ran.err


class TestValidate:
    @pytest.mark.parametrize("name", ["millrace.yaml", "starter.yaml"])
    def test_the_examples_are_valid(self, run: Any, name: str) -> None:
        ran = run("validate", str(EXAMPLES / name))

        assert ran.code == 0
        assert "valid" in ran.out

    def test_all_problems_are_told_at_once_with_their_paths(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "bad.json"
        path.write_text('{"connections": [{"name": "a", "configuration": {"s3_bucket": "b"}}], "sync": []}')

        ran = run("validate", str(path))

        assert ran.code == 1
        assert "connections[0].configuration.s3_bucket" in ran.err
        assert "connections[0].configuration.s3_bucket_region" in ran.err
        assert "sync" in ran.err

    def test_problems_as_json_lines(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / "bad.json"
        path.write_text("{}")

        ran = run("validate", "--json", str(path))

        assert ran.code == 1
        assert json.loads(ran.out)["problem"].startswith("connections:")

    def test_a_missing_file_is_named(self, run: Any) -> None:
        ran = run("validate", "nowhere.yaml")

        assert ran.code == 1
        assert "nowhere.yaml" in ran.err

    def test_inline_keys_are_warned_of_and_never_shown(self, run: Any, keys: str) -> None:
        ran = run("validate", keys)

        assert ran.code == 0
        assert "millrace connections store partner" in ran.err
        assert "wJalrXUtnFEMI" not in ran.out + ran.err


def test_the_schema_is_json(run: Any) -> None:
    assert json.loads(run("schema").out)["title"] == "Millrace configuration"


class TestConnections:
    def test_a_role_is_shown_with_its_external_id_and_the_trust_policy_to_paste(self, run: Any, keys: str) -> None:
        ran = run("connections", "--config", keys, "--offline", "--account", "999988887777", "--json")

        vendor = json.loads(ran.out.splitlines()[1])
        (statement,) = vendor["trust_policy"]["Statement"]
        assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": vendor["external_id"]}}
        assert statement["Principal"] == {"AWS": "arn:aws:iam::999988887777:root"}

    def test_keys_are_never_shown(self, run: Any, keys: str) -> None:
        ran = run("connections", "--config", keys, "--offline")

        assert ran.code == 0
        assert "partner" in ran.out
        assert "AKIA" not in ran.out + ran.err

    def test_storing_says_what_it_would_do_and_prints_the_connection_without_keys(self, run: Any, keys: str) -> None:
        ran = run("connections", "--config", keys, "store", "partner", "--dry-run")

        assert ran.code == 0
        configuration = json.loads(ran.out)["configuration"]
        assert configuration["aws_credentials_secret"] == "millrace/partner"
        assert "aws_secret_access_key" not in configuration

    def test_there_is_nothing_to_store_of_a_role(self, run: Any, keys: str) -> None:
        assert run("connections", "--config", keys, "store", "vendor", "--dry-run").code == 2


class TestConvert:
    def test_a_file_is_converted_to_what_the_targets_name_says(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("id,zip\n1,00501\n")

        ran = run("convert", str(tmp_path / "a.csv"), str(tmp_path / "a.jsonl"))

        assert (ran.code, ran.out) == (0, "")
        assert (tmp_path / "a.jsonl").read_text() == '{"id":1,"zip":"00501"}\n'

    @pytest.mark.parametrize(("name", "options"), [("a.jsonl.gz", []), ("a.jsonl", ["--compress", "gz"])])
    def test_a_target_is_compressed_where_its_name_or_an_option_says_so(
        self, run: Any, tmp_path: Path, name: str, options: list[str]
    ) -> None:
        (tmp_path / "a.csv").write_text("id\n1\n")

        ran = run("convert", str(tmp_path / "a.csv"), str(tmp_path / name), *options)

        assert ran.code == 0
        assert gzip.decompress((tmp_path / name).read_bytes()) == b'{"id":1}\n'

    def test_a_refused_file_is_exit_code_one_and_leaves_no_target(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,b\n1\n")

        ran = run("convert", str(tmp_path / "a.csv"), str(tmp_path / "a.parquet"), "--to", "parquet")

        assert ran.code == 1
        assert "RaggedRow" in ran.err
        assert "row 1" in ran.err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]

    def test_bad_rows_can_be_put_aside(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a,b\n1\n2,3\n")
        aside = tmp_path / "bad.jsonl"

        ran = run(
            "convert", str(tmp_path / "a.csv"), str(tmp_path / "a.csv.out"), "--to", "csv", "--quarantine", str(aside)
        )

        assert ran.code == 0
        assert json.loads(aside.read_text())["row"] == 1

    @pytest.mark.parametrize(
        "options",
        [
            ["--to", "xml"],
            ["--encoding", "nonsense"],
            ["--delimiter", "é"],
            ["--from", "json-doc"],
            ["--delimiter", ";;"],
            ["--skip-lines", "-1"],
            ["--to", ""],
        ],
    )
    def test_options_that_make_no_sense_are_exit_code_two(self, run: Any, tmp_path: Path, options: list[str]) -> None:
        (tmp_path / "a.csv").write_text("a\n1\n")

        ran = run("convert", str(tmp_path / "a.csv"), str(tmp_path / "a.out"), *options)

        assert ran.code == 2

    def test_a_missing_source_is_wrong_use(self, run: Any, tmp_path: Path) -> None:
        ran = run("convert", str(tmp_path / "nowhere.csv"), str(tmp_path / "a.parquet"))

        assert ran.code == 2
        assert "nowhere.csv" in ran.err

    def test_jobs_are_answered_one_by_one_and_a_bad_one_harms_no_other(self, run: Any, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("a\n1\n")
        good = {"id": 1, "source": str(tmp_path / "a.csv"), "target": str(tmp_path / "a.jsonl"), "to": "json"}
        lines = [
            json.dumps(good),
            "no json",
            json.dumps(good | {"id": 3, "source": "nowhere.csv"}),
            json.dumps(good | {"id": 4}),
        ]

        ran = run("convert", "--jobs", "-", stdin="\n".join(lines))

        answers = [json.loads(line) for line in ran.out.splitlines()]
        assert ran.code == 0
        assert [(answer["id"], answer["ok"]) for answer in answers] == [(1, True), (None, False), (3, False), (4, True)]

    def test_jobs_and_a_source_exclude_each_other(self, run: Any) -> None:
        assert run("convert", "a.csv", "b.csv", "--jobs", "-").code == 2


class FakeDeployments:
    """A deployment whose functions answer in turn; ``events`` are what they were asked."""

    def __init__(self, ledger: Any = None, *, reconcile_function: str | None = None) -> None:
        self.answers: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.heads: dict[str, Any] = {}
        self._ledger = ledger
        self._deployed = Deployed(
            ledger_table="l",
            dead_letter_queue="d",
            queues={},
            convert_function="c",
            reprocess_function="r",
            syncs=("nightly",),
            reconcile_function=reconcile_function,
        )

    def find(self, _name: str, /) -> tuple[Deployed, Any]:
        return self._deployed, self._ledger

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        assert function == self._deployed.reconcile_function
        self.events.append(event)
        counts = {"sync": "nightly", "compared": 0, "new": 0, "changed": 0, "gone": 0}
        return counts | self.answers.pop(0)

    def client(self, service: str) -> Any:
        assert service == "s3"
        return self

    def head_object(self, **request: Any) -> dict[str, Any]:
        metadata = self.heads[request["Key"]]
        return {"ETag": "e", "ContentLength": 1, "LastModified": datetime.now(UTC), "Metadata": dict(metadata)}


class TestReconcile:
    @pytest.fixture
    def deployments(self) -> FakeDeployments:
        return FakeDeployments(reconcile_function="millrace-reconcile")

    def test_it_calls_until_all_is_compared_and_tells_how_far_it_is(
        self, run: Any, deployments: FakeDeployments
    ) -> None:
        """The function does not call itself meanwhile: one of the two would find the other at work."""
        deployments.answers += [
            {"progress": "partial", "compared": 1_000_000, "new": 1},
            {"progress": "complete", "compared": 1_500_000, "new": 2, "gone": 3},
        ]

        ran = run("reconcile", "nightly", deployments=deployments)

        assert ran.code == 0
        assert deployments.events == [{"sync": "nightly", "calls_left": 0}] * 2
        assert ran.out.splitlines() == [
            "nightly: so far 1,000,000 objects; put on the queue: 1 new, 0 changed, 0 gone",
            "nightly: compared 1,500,000 objects; put on the queue: 2 new, 0 changed, 3 gone",
        ]

    @pytest.mark.parametrize("progress", ["busy", "put off"])
    def test_it_says_why_not_now(self, run: Any, deployments: FakeDeployments, progress: str) -> None:
        deployments.answers.append({"progress": progress, "reason": "because"})

        ran = run("reconcile", "nightly", "--json", deployments=deployments)

        assert ran.code == 1
        assert json.loads(ran.out)["progress"] == progress
        assert "because. Try again later" in ran.err

    def test_another_sync_is_wrong_use(self, run: Any, deployments: FakeDeployments) -> None:
        ran = run("reconcile", "hourly", deployments=deployments)

        assert (ran.code, deployments.events) == (2, [])
        assert "nightly" in ran.err


class TestShowCommand:
    """What is remembered, on the fakes."""

    @pytest.fixture
    def world(self) -> World:
        source = {"is_single_table": True, "single_table_name": "orders"}
        world = World(syncs=(bulk_sync(),), source=source)
        for name, data in {"a": b"id\n1\n", "b": b"id,note\nx,\n"}.items():
            world.one(world.upload(data, ObjectRef("acme-in", f"in/{name}.csv")))
        return world

    def test_a_table_is_shown_with_its_fields_and_versions(self, run: Any, world: World) -> None:
        ran = run("show", "s3://acme-in/in/orders", "--json", deployments=FakeDeployments(world.ledger))

        shown = json.loads(ran.out)
        assert shown["fields"] == {"id": "text", "note": "no values yet"}
        assert [(one["number"], one["changes"]) for one in shown["versions"]] == [
            (1, "the first"),
            (2, "id: int64 -> text; note: new, no values yet"),
        ]

    def test_an_output_shows_its_source(self, run: Any, world: World) -> None:
        """As its metadata says it."""
        (target, *_), there = sorted(world.store.buckets["acme-out"]), world.store.buckets["acme-out"]
        deployments = FakeDeployments(world.ledger)
        deployments.heads[target] = there[target].metadata

        ran = run("show", f"s3://acme-out/{target}", "--json", deployments=deployments)

        assert json.loads(ran.out)["source"] == "s3://acme-in/in/a.csv"

    def test_values_are_in_one_column(self, run: Any, world: World) -> None:
        ran = run("show", "s3://acme-in/in/a.csv", deployments=FakeDeployments(world.ledger))

        assert {len(line) - len(line[18:]) for line in ran.out.splitlines() if line} == {18}
        assert all(line[17] == " " for line in ran.out.splitlines() if line)

    def test_versions_are_lines_for_people(self, run: Any, world: World) -> None:
        ran = run("show", "s3://acme-in/in/orders", deployments=FakeDeployments(world.ledger))

        assert "version 1:        the first (s3://acme-in/in/a.csv, 2026-11-22T12:00:00+00:00)" in ran.out

    def test_an_object_tells_its_schemas_version(self, run: Any, world: World) -> None:
        ran = run("show", "s3://acme-in/in/a.csv", "--json", deployments=FakeDeployments(world.ledger))

        assert json.loads(ran.out)["schema_version"] == 1


class TestForget:
    """What a sync leaves that was taken out of the configuration."""

    @pytest.fixture
    def world(self) -> World:
        world = World(
            syncs=(bulk_sync(), bulk_sync("hourly", subfolder="hourly")),
            source={"is_single_table": True, "single_table_name": "t"},
        )
        world.work(world.upload())
        return world

    def test_it_counts_first_and_removes_what_is_asked_for_twice(self, run: Any, world: World) -> None:
        counted = run("forget", "hourly", deployments=FakeDeployments(world.ledger))
        before = len(world.ledger.entries)
        removed = run("forget", "hourly", "--yes", "--json", deployments=FakeDeployments(world.ledger))

        assert counted.out == "would forget 2 entries of sync 'hourly'; remove them with --yes\n"
        assert (before, len(world.ledger.entries)) == (4, 2)
        assert json.loads(removed.out) == {"sync": "hourly", "dry_run": False, "forgotten": 2}

    def test_an_active_sync_is_kept(self, run: Any, world: World) -> None:
        ran = run("forget", "nightly", "--yes", deployments=FakeDeployments(world.ledger))

        assert (ran.code, len(world.ledger.entries)) == (2, 4)
        assert "is active" in ran.err
