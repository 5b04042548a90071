"""Files: YAML and JSON, read without guessing."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from millrace.config.document import load
from millrace.config.reading import read
from millrace.errors import InvalidConfiguration

YAML = """
connections:
  - name: in
    configuration:
      auth_mode: execution_role
      s3_bucket_name: acme-in
      s3_bucket_region: eu-west-1
"""
JSON = """{"connections": [{"name": "in", "configuration":
 {"auth_mode": "execution_role", "s3_bucket_name": "acme-in", "s3_bucket_region": "eu-west-1"}}]}"""


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with that content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def problems_of(path: Path) -> list[str]:
    """What a file is refused with."""
    with pytest.raises(InvalidConfiguration) as refused:
        load(path)
    return refused.value.problems


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.yaml", YAML), ("a.YML", YAML), ("a.json", JSON), ("a", JSON), ("a.json", b"\xef\xbb\xbf" + JSON.encode())],
)
def test_yaml_and_json_say_the_same(tmp_path: Path, name: str, content: str | bytes) -> None:
    """The extension tells YAML; everything else is JSON; a byte order mark is passed over."""
    assert load(written(tmp_path, name, content)).connections[0].bucket == "acme-in"


def test_yaml_values_are_what_they_look_like(tmp_path: Path) -> None:
    """YAML 1.2's core schema: only true and false are booleans; leading zeros, times and dates stay text."""
    text = "[no, on, 007, 12:30, 2026-01-01, 1_000, 0x1F, .inf, ~, null, true, -5, 1.5, 1e3, '1', =, '']"

    assert read(written(tmp_path, "a.yaml", text)) == [
        "no", "on", "007", "12:30", "2026-01-01", "1_000", "0x1F", ".inf",
        None, None, True, -5, 1.5, 1000.0, "1", "=", "",
    ]  # fmt: skip


def test_yaml_anchors_and_merges(tmp_path: Path) -> None:
    """What is common to connections can be written once; what is written beside a merge wins."""
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}"

    assert read(written(tmp_path, "a.yaml", text)) == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.yaml", "a: [1", "not YAML: line 1, column "),
        ("a.yaml", "a:\n\t- 1", "not YAML: line 2, column 1: found character '\\t'"),
        ("a.yaml", "a: !!python/object:os.system x", "not YAML: line 1, column 4: could not determine a constructor"),
        ("a.yaml", "1: x", "a field's name must be text"),
        ("a.yaml", "a: b\n---\nc: d", "not YAML: line 2"),
        ("a.yaml", "a: *b", "found undefined alias"),
        ("a.yaml", "a: \x00", "not YAML: "),
        ("a.json", '{"a": 1,}', "not JSON: line 1, column "),
        ("a.json", '{\n"a": x}', "not JSON: line 2, column 6"),
        ("a.json", '{"a": NaN}', "NaN is not a JSON value"),
        ("a.json", "", "not JSON: line 1"),
        ("a.json", '{"a": "\\ud800"}', "half a character"),
        ("a.json", b'{"a": "\xff"}', "not UTF-8 text: byte 7"),
    ],
)
def test_unreadable_files(tmp_path: Path, name: str, content: str | bytes, says: str) -> None:
    """The file, the line and the reason."""
    path = written(tmp_path, name, content)

    (problem,) = problems_of(path)

    assert problem.startswith(f"{path}: ")
    assert says in problem


def test_aliases_that_grow_without_bound_are_refused_at_once(tmp_path: Path) -> None:
    """Each line doubles the one before: written out, the last has a billion values."""
    lines = ["l0: &l0 [laugh, laugh]"]
    lines += [f"l{number}: &l{number} [*l{number - 1}, *l{number - 1}]" for number in range(1, 30)]
    path = tmp_path / "laughs.yaml"
    path.write_text("\n".join(lines))
    began = time.process_time()

    with pytest.raises(InvalidConfiguration, match="more than 100,000 values when its aliases"):
        read(path)
    assert time.process_time() - began < 1


def test_merges_that_grow_without_bound_are_refused_too(tmp_path: Path) -> None:
    lines = ["l0: &l0 {a: 1, b: 2}"]
    lines += [f"l{number}: &l{number} {{<<: [*l{number - 1}, *l{number - 1}]}}" for number in range(1, 30)]
    path = tmp_path / "merges.yaml"
    path.write_text("\n".join(lines))

    with pytest.raises(InvalidConfiguration, match="aliases"):
        read(path)


def test_an_alias_of_what_holds_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "itself.yaml"
    path.write_text("a: &a [*a]")

    with pytest.raises(InvalidConfiguration, match="deeper than any configuration"):
        read(path)


@pytest.mark.slow
def test_aliases_of_a_configuration_that_people_write_are_read(tmp_path: Path) -> None:
    path = tmp_path / "many.yaml"
    path.write_text("base: &base {x: 1}\nall: [" + ", ".join(["*base"] * 5_000) + "]")

    assert read(path) == {"base": {"x": 1}, "all": [{"x": 1}] * 5_000}


def test_an_empty_file(tmp_path: Path) -> None:
    """Nothing is no document; the file is named."""
    path = written(tmp_path, "a.yaml", "# nothing\n")

    (problem,) = problems_of(path)

    assert problem.startswith(f"{path}: found nothing; expected an object with connections")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    """The path and the system's reason."""
    (problem,) = problems_of(tmp_path / "no.yaml")

    assert problem.startswith(f"{tmp_path / 'no.yaml'}: cannot be read: No such file or directory; ")
    assert "--config" in problem
    assert "`millrace init`" in problem
    assert problems_of(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '{"connections": [{"name": "a", "x": {"b": 1, "b": 2}, "name": "c"}], "connections ": 1}'),
        ("a.yaml", "connections:\n- name: a\n  x: {b: 1, b: 2}\n  name: c\n"),
    ],
)
def test_no_field_stands_twice(tmp_path: Path, name: str, content: str) -> None:
    """Both places are told by path, where other readers keep the last without a word."""
    assert problems_of(written(tmp_path, name, content)) == [
        "connections[0].name: given twice in the same object; remove one",
        "connections[0].x.b: given twice in the same object; remove one",
    ]


@pytest.mark.slow
def test_json_needs_neither_yaml_nor_arrow_nor_boto(tmp_path: Path) -> None:
    """A deployed function reads its configuration without what it does not have."""
    path = written(tmp_path, "a.json", JSON)
    script = (
        "import sys; from pathlib import Path; from millrace.config.document import load; load(Path(sys.argv[1]));"
        "print([name for name in ('yaml', 'pyarrow', 'boto3', 'botocore') if name in sys.modules])"
    )

    answer = subprocess.run(  # noqa: S603 -- our own interpreter and script
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"
