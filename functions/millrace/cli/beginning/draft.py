"""The text of a first configuration: commented, with the line that lets an editor complete and check it."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from millrace.config.document import Document, parse
from millrace.config.layout import Folder
from millrace.engine.options import FileFormat


class FirstLayout(enum.StrEnum):
    """How the files of a source make tables."""

    FILES = "files"
    """Each file is converted into one of its own."""
    TABLE = "table"
    """All files are one table."""
    FOLDERS = "folders"
    """Each folder is a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The answers."""

    source: Folder
    destination: Folder
    format: FileFormat
    layout: FirstLayout
    notifications: bool
    region: str

    def to_text(self, schema: Path) -> str:
        """The file; ``schema`` is the name of the JSON Schema beside it."""
        return "\n".join(
            (
                f"# yaml-language-server: $schema=./{schema.name}",
                "# What is read, how it is read, and where the result goes.",
                "# Check it: millrace validate. Try it on this machine: millrace demo --config FILE --data DIR.",
                "# Bring it to your account: millrace deploy.",
                "",
                "connections:",
                *self._describe_source(),
                "",
                *self._describe_destination(),
                "",
                *self._describe_sync(),
                "",
            )
        )

    def _describe_source(self) -> tuple[str, ...]:
        return (
            "  - name: inbox",
            "    type: s3",
            "    configuration:",
            "      auth_mode: execution_role        # the functions' own; iam_role is for a bucket of another account",
            f"      s3_bucket_name: {_quote(self.source)}",
            f"      s3_bucket_region: {self.region}",
            *self._describe_events(),
            *_LAYOUTS[self.layout],
            "      # csv_has_headers: true          # false: columns are column_1, column_2, ...",
            "      # csv_delimiter: semicolon       # left out, it is detected for each file",
        )

    def _describe_events(self) -> tuple[str, ...]:
        if not self.notifications:
            return ("      enable_event_notifications: false # the folder is listed every 15 minutes instead",)
        return (
            "      enable_event_notifications: true",
            "      event_queue_arn: managed         # the stack makes a queue, and asks the bucket to notify it",
        )

    def _describe_destination(self) -> tuple[str, ...]:
        return (
            "  - name: archive",
            "    type: s3",
            "    configuration:",
            "      auth_mode: execution_role",
            f"      s3_bucket_name: {_quote(self.destination)}",
            f"      s3_bucket_region: {self.region}",
            "      # create_bucket: true            # to have the bucket made",
        )

    def _describe_sync(self) -> tuple[str, ...]:
        return (
            "bulk_syncs:",
            f"  - name: inbox to {self.format}",
            "    source_connection: inbox",
            "    destination_connection: archive",
            "    destination_configuration:",
            f"      format: {self.format}",
            "      # subfolder: orders              # within the destination's folder",
            "    # on_delete: keep                  # remove: a deleted file takes its output with it",
            "    # bad_rows: fail                   # quarantine: write the good rows, set the bad ones aside",
            "    # notify: none                     # failures, tables, objects: events on the account's bus",
        )


_LAYOUTS = {
    FirstLayout.FILES: ("      # is_single_table: true          # all files are one table",),
    FirstLayout.TABLE: (
        "      is_single_table: true            # all files are one table, and share its schema",
        "      # single_table_name: orders      # left out, it is the name of the folder",
    ),
    FirstLayout.FOLDERS: (
        "      is_single_table: true",
        "      is_directory_snapshot: true      # each folder that matches is a table",
        '      directory_glob_pattern: "*"      # or tenant=*/orders',
    ),
}


def parse_draft(text: str) -> Document:
    """What the text says, checked as `millrace validate` does; raises InvalidConfiguration."""
    return parse(yaml.safe_load(text))


def _quote(folder: Folder) -> str:
    """An address as YAML reads it back, whatever signs it has: JSON's texts are YAML's."""
    return json.dumps(str(folder), ensure_ascii=False)
