"""The kernel's library: found, checked, turned off; and its numbers are those that Python has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from millrace.engine.native.build import STRICT, KernelNotBuilt, choose_compiler, choose_output, compile_sources
from millrace.engine.native.csv import CsvGrammarForC, NativePiece
from millrace.engine.native.library import (
    ABI,
    SOURCES,
    SWITCH,
    Kernel,
    Missing,
    compute_fingerprint,
    find_kernel,
    library_path,
    load_kernel,
    look_for_kernel,
    read_fingerprint,
)
from millrace.engine.native.seam import (
    MOST_DEPTH,
    NULLABLE,
    PADDING,
    ZONED,
    Code,
    ExportedArray,
    NativeFault,
    TypeEntry,
    TypeKind,
)
from tests.unit.engine.native.kernels import require_kernel

HEADER = (SOURCES / "kernel.h").read_text(encoding="utf-8")


def _has_compiler() -> bool:
    try:
        choose_compiler()
    except KernelNotBuilt:
        return False
    return True


def _read_enum(name: str) -> list[str]:
    """The members of an enum of the header, in order."""
    body = re.search(rf"typedef enum \{{([^}}]*)\}} {name};", HEADER)
    assert body is not None
    return re.findall(r"\b[A-Z][A-Z0-9_]+\b", re.sub(r"/\*.*?\*/", "", body[1], flags=re.DOTALL))


def _read_number(name: str) -> int:
    number = re.search(rf"#define {name} (\d+)", HEADER)
    assert number is not None
    return int(number[1])


def _read_members(structure: str) -> list[str]:
    """The names of the members of a structure of the headers, in order."""
    others = [(SOURCES / name).read_text(encoding="utf-8") for name in ("arrow_c.h", "csv.h")]
    text = HEADER + "".join(others)
    body = re.search(rf"typedef struct \{{([^}}]*)\}} {structure};|struct {structure} \{{([^}}]*)\}};", text)
    assert body is not None
    lines = re.sub(r"/\*.*?\*/|\(\*(\w+)\)\([^)]*\)", r"\1", body[1] or body[2], flags=re.DOTALL)
    return re.findall(r"(\w+);", lines)


class TestTheLibrary:
    @pytest.mark.skipif(SWITCH in os.environ, reason=f"{SWITCH} is set")
    @pytest.mark.skipif(not _has_compiler(), reason="no C compiler")
    def test_it_is_there_where_there_is_a_compiler(self) -> None:
        assert isinstance(look_for_kernel(), Kernel)

    def test_it_is_turned_off_by_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(SWITCH, "0")

        assert find_kernel() is None
        assert look_for_kernel() == Missing("MILLRACE_NATIVE=0 turns it off")

    def test_it_says_from_which_sources_it_is(self) -> None:
        require_kernel()

        assert read_fingerprint(library_path()) == compute_fingerprint()

    def test_one_that_was_not_built_is_missing(self, tmp_path: Path) -> None:
        found = load_kernel(library_path("riscv64", tmp_path))

        assert found == Missing("libmillrace-riscv64.so was not built; `make install` builds it")

    def test_one_of_other_sources_is_not_used(self, tmp_path: Path) -> None:
        require_kernel()
        stale = tmp_path / "libmillrace-stale.so"
        stale.write_bytes(library_path().read_bytes().replace(compute_fingerprint().encode(), b"0" * 16))

        found = load_kernel(stale)

        assert isinstance(found, Missing)
        assert "other sources" in found.reason

    def test_one_that_is_no_library_is_not_used(self, tmp_path: Path) -> None:
        broken = tmp_path / "libmillrace-broken.so"
        broken.write_bytes(b"millrace kernel of sources " + compute_fingerprint().encode())

        found = load_kernel(broken)

        assert isinstance(found, Missing)
        assert "cannot be loaded" in found.reason

    def test_a_sanitized_one_replaces_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sanitized = choose_output(sanitize=True)

        assert choose_output() == library_path()
        assert sanitized != library_path()
        monkeypatch.setenv(SWITCH, "sanitized")
        assert sanitized.is_file() or isinstance(look_for_kernel(), Missing)

    def test_processors_have_one_name(self) -> None:
        assert library_path("arm64") == library_path("aarch64")
        assert library_path("AMD64") == library_path("x86_64")


class TestNumbers:
    def test_codes_are_those_of_the_header(self) -> None:
        assert [f"MILLRACE_{code.name}" for code in Code] == _read_enum("MillraceCode")

    def test_kinds_are_those_of_the_header(self) -> None:
        assert [*(f"KIND_{kind.name}" for kind in TypeKind), "KIND_COUNT"] == _read_enum("MillraceKind")

    def test_limits_and_flags_are_those_of_the_header(self) -> None:
        assert _read_number("MILLRACE_ABI") == ABI
        assert _read_number("MILLRACE_PADDING") == PADDING
        assert _read_number("MILLRACE_MOST_DEPTH") == MOST_DEPTH
        assert _read_number("MILLRACE_NULLABLE") == NULLABLE
        assert _read_number("MILLRACE_ZONED") == ZONED

    @pytest.mark.parametrize(
        ("structure", "name"),
        [
            (NativeFault, "MillraceFault"),
            (TypeEntry, "MillraceType"),
            (ExportedArray, "ArrowArray"),
            (CsvGrammarForC, "MillraceCsvGrammar"),
            (NativePiece, "MillraceCsvPiece"),
        ],
        ids=["fault", "type", "array", "grammar", "piece"],
    )
    def test_structures_are_those_of_the_headers(self, structure: type, name: str) -> None:
        assert [member for member, _ in structure._fields_] == _read_members(name)  # type: ignore[attr-defined]


class TestImports:
    def test_the_engine_loads_no_library_before_it_converts(self) -> None:
        code = "import sys, millrace.engine.native.library; print('ctypes' in sys.modules, 'pyarrow' in sys.modules)"

        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code

        assert done.stdout.split() == ["False", "False"]


COMPILERS = ("cc", "gcc", "clang", "clang-14")


def _is_named_otherwise(found: str) -> bool:
    """Whether `cc` is the same program as one of the other compilers, as on most machines."""
    others = filter(None, map(shutil.which, COMPILERS[1:]))
    return Path(found).resolve() in {Path(other).resolve() for other in others}


@pytest.mark.slow
@pytest.mark.parametrize("compiler", COMPILERS)
def test_compilers_have_nothing_to_warn_of(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"no {compiler} here")
    if compiler == "cc" and _is_named_otherwise(found):
        pytest.skip("cc is one of the others here")
    monkeypatch.chdir(tmp_path)

    # Clang warns before it optimizes, GCC also of what it sees then.
    extra = (*STRICT, "-O0") if "clang" in compiler else STRICT
    compile_sources([compiler], Path("strict.so"), extra)

    assert read_fingerprint(tmp_path / "strict.so") == compute_fingerprint()
