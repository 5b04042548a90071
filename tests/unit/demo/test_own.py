"""Somebody's own configuration and files: what is changed for the emulator, and which file goes where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from millrace.config.catalog import GlueTables
from millrace.config.document import parse
from millrace.config.layout import Folder
from millrace.demo.adapting import adapt_document
from millrace.demo.sending import place_files, place_folders
from millrace.errors import InvalidConfiguration, UsageError
from tests.configurations import bulk_sync, connection

ONE = {"inbox": Folder("acme", "in")}
TWO = {"inbox": Folder("acme", "in"), "tills": Folder("acme-tills", "")}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with files, to be named from within."""
    monkeypatch.chdir(tmp_path)
    for name in ("plain/a.csv", "plain/deep er/b+ü.csv", "plain/.hidden/c.csv", "plain/.d", "named/inbox/a.csv"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def keys(*given: str, sources: dict[str, Folder]) -> list[str]:
    """Where the files go."""
    return [str(sent.ref) for sent in place_folders(given, sources)]


class TestFolders:
    def test_all_goes_to_the_only_source_with_its_sub_folders(self, here: Path) -> None:
        """What begins with a dot is no data."""
        assert keys("plain", sources=ONE) == ["s3://acme/in/a.csv", "s3://acme/in/deep er/b+ü.csv"]

    def test_a_sub_folder_goes_to_the_source_of_its_name(self, here: Path) -> None:
        (here / "named" / "tills").mkdir()
        (here / "named" / "tills" / "t.csv").write_text("a")

        assert keys("named", sources=TWO) == ["s3://acme/in/a.csv", "s3://acme-tills/t.csv"]

    def test_a_connection_can_be_named(self, here: Path) -> None:
        assert keys("tills=plain", "inbox=named", sources=TWO) == [
            "s3://acme-tills/a.csv",
            "s3://acme-tills/deep er/b+ü.csv",
            "s3://acme/in/inbox/a.csv",
        ]

    def test_a_sub_folder_with_the_name_of_the_only_source_has_two_readings(self, here: Path) -> None:
        with pytest.raises(UsageError, match=r"into s3://acme/in/? or into s3://acme/in/inbox\b") as caught:
            keys("named", sources=ONE)

        assert "--data inbox=named/inbox" in str(caught.value)
        assert "for the second say --data inbox=named" in str(caught.value)
        assert keys("inbox=named/inbox", sources=ONE) == ["s3://acme/in/a.csv"]
        assert keys("inbox=named", sources=ONE) == ["s3://acme/in/inbox/a.csv"]

    def test_what_bears_no_sources_name_is_refused_with_all_readings(self, here: Path) -> None:
        with pytest.raises(UsageError, match=r"'a\.csv' and 'deep er' may go to any") as caught:
            keys("plain", sources=TWO)

        assert "--data inbox=plain sends all to s3://acme/in" in str(caught.value)
        assert "--data tills=plain sends all to s3://acme-tills" in str(caught.value)

    def test_a_folder_that_is_called_like_the_long_form_is_asked_about(self, here: Path) -> None:
        (here / "inbox=plain").mkdir()

        with pytest.raises(
            UsageError, match=r"--data \./inbox=plain; for plain to the connection say --data inbox=\./pl"
        ):
            keys("inbox=plain", sources=ONE)
        assert len(keys("inbox=./plain", sources=ONE)) == 2

    @pytest.mark.parametrize(("given", "said"), [("nowhere", "not a folder"), ("plain/a.csv", "not a folder")])
    def test_what_is_no_folder_is_refused(self, here: Path, given: str, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            keys(given, sources=ONE)

    def test_a_folder_without_files_is_refused(self, here: Path) -> None:
        (here / "empty" / "deeper").mkdir(parents=True)

        with pytest.raises(UsageError, match="there is no file in it"):
            keys("empty", sources=ONE)

    def test_two_files_are_never_one_object(self, here: Path) -> None:
        with pytest.raises(UsageError, match=r"would both be s3://acme/in/a\.csv"):
            keys("plain", "inbox=named/inbox", sources=ONE)


class TestFiles:
    def test_go_to_the_only_source_or_the_named_one(self, here: Path) -> None:
        file = [Path("plain/deep er/b+ü.csv")]

        assert str(place_files(file, None, ONE)[0].ref) == "s3://acme/in/b+ü.csv"
        assert str(place_files(file, "tills", TWO)[0].ref) == "s3://acme-tills/b+ü.csv"

    @pytest.mark.parametrize(
        ("file", "to", "said"),
        [
            ("plain/a.csv", None, "--to inbox is s3://acme/in.*; --to tills is s3://acme-tills"),
            ("plain/a.csv", "lake", "there are 'inbox' and 'tills'"),
            ("plain", "inbox", "it is a folder; name its files"),
            ("nowhere.csv", "inbox", "not there"),
        ],
    )
    def test_without_a_clear_place_are_refused(self, here: Path, file: str, to: str | None, said: str) -> None:
        with pytest.raises(UsageError, match=said):
            place_files([Path(file)], to, TWO)


def copy_of(name: str, source: str) -> dict[str, Any]:
    """A sync from a source into a folder of its own."""
    fields = {"source_connection": source, "destination_connection": "out"}
    return bulk_sync(name, subfolder=name) | fields


def adapted(connections: list[dict[str, Any]], **more: Any) -> Any:
    """A configuration of these connections, for the emulator."""
    return adapt_document(parse({"connections": connections, "bulk_syncs": [copy_of("a", "in")]} | more))


class TestAdapting:
    def test_what_the_emulator_runs_stays_as_it_is(self) -> None:
        plain = [
            connection("in", "s3://acme-in", s3_bucket_region="us-east-1"),
            connection("out", "s3://acme-out", s3_bucket_region="us-east-1", create_bucket=True),
        ]
        found = adapted(plain)

        assert found.notes == []
        assert found.document == parse({"connections": plain, "bulk_syncs": [copy_of("a", "in")]})
        assert found.list_missing_buckets() == ["acme-in"]

    def test_what_is_of_an_account_is_replaced_and_said(self) -> None:
        queue = "arn:aws:sqs:eu-west-1:111122223333:uploads"
        found = adapted(
            [
                connection(
                    "in",
                    "s3://acme-in",
                    auth_mode="iam_role",
                    iam_role_arn="arn:aws:iam::111122223333:role/reader",
                    s3_bucket_region="eu-west-1",
                    enable_event_notifications=True,
                    event_queue_arn=queue,
                ),
                connection(
                    "out",
                    "s3://acme-out",
                    auth_mode="access_key_and_secret",
                    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
                    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                    s3_bucket_region="us-east-1",
                ),
            ],
            webhooks=[{"name": "hook", "url": "https://hooks.acme.example/x", "secret": "acme/hook"}],
        )

        assert found.notes == [
            "connection 'in': its bucket is in us-east-1, not in eu-west-1",
            "connection 'in': the functions use their own role, not iam_role",
            f"connection 'in': a queue of the deployment hears of changes, not {queue}",
            "connection 'out': the functions use their own role, not access_key_and_secret",
            "webhook 'hook': nothing is sent",
        ]
        # Keys in the file would stop the deployment, and are of no use here.
        assert "EXAMPLE" not in found.document.to_json()
        assert {one.region for one in found.document.connections} == {"us-east-1"}
        assert not found.document.webhooks

    def test_a_table_bucket_is_one_of_the_emulator(self) -> None:
        arn = "arn:aws:s3tables:eu-west-1:111122223333:bucket/acme-tables"
        here = "arn:aws:s3tables:us-east-1:000000000000:bucket/acme-tables"
        table = {"is_single_table": True, "single_table_name": "orders", "s3_bucket_region": "us-east-1"}
        place = {"format": "iceberg", "database": "sales", "table_bucket": arn}
        connections = [
            connection("in", "s3://acme-in", **table),
            connection("out", "s3://acme-out", s3_bucket_region="us-east-1"),
        ]
        found = adapted(connections, bulk_syncs=[copy_of("a", "in") | {"destination_configuration": place}])

        assert found.notes == [f"sync 'a': its tables are in the emulator's {here}, not in {arn}"]
        assert found.document.active_syncs()[0].iceberg.table_bucket == here
        assert (found.list_table_buckets(), found.list_databases()) == (["acme-tables"], [])

    def test_databases_of_catalogued_models_are_made(self) -> None:
        place = {"format": "parquet", "catalog": "glue", "database": "crm"}
        target = {"connection": "out", "object": "customers", "configuration": place}
        found = adapted(
            [connection("in", "s3://acme-in"), connection("out", "s3://acme-out")],
            models=[{"name": "customers", "connection": "in", "configuration": {"key": "customers.csv"}}],
            model_syncs=[{"name": "models", "model": "customers", "target": target}],
        )

        assert found.document.model_syncs[0].glue == GlueTables("crm")
        assert found.list_databases() == ["crm"]

    def test_queues_over_one_folder_contradict_each_other_when_they_are_managed(self) -> None:
        """It is said as the configuration's own rule."""
        queue = "arn:aws:sqs:us-east-1:111122223333:"
        told = {"s3_bucket_region": "us-east-1", "enable_event_notifications": True}
        sources = [connection(name, "s3://acme-in", event_queue_arn=queue + name, **told) for name in ("in", "other")]
        out = connection("out", "s3://acme-out", s3_bucket_region="us-east-1")

        with pytest.raises(InvalidConfiguration, match="managed"):
            adapted([*sources, out], bulk_syncs=[copy_of("a", "in"), copy_of("b", "other")])
