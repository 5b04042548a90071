"""Workbooks made by hand: small, and with what no library writes."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import escape

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    """A zip of the parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file.getvalue()


def text(value: str) -> str:
    """A cell's inside that is text."""
    return f' t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is>'


def number(value: object) -> str:
    """A cell's inside that is a number."""
    return f"><v>{value}</v>"


def moment(value: object) -> str:
    """A cell's inside that is a number in the format of a date, 14."""
    return f' s="1"><v>{value}</v>'


def xlsx(
    sheets: Mapping[str, Mapping[str, str]], states: Mapping[str, str] | None = None, *, date_format: str = "14"
) -> bytes:
    """A workbook: cells' insides by their names, of sheets by theirs. Style 1 has the date's format, 164 is mm:ss."""
    listed, relations, parts = "", "", dict[str, str | bytes]()
    for count, (name, cells) in enumerate(sheets.items(), 1):
        state = (states or {}).get(name, "visible")
        listed += f'<sheet name="{escape(name)}" sheetId="{count}" state="{state}" r:id="rId{count}"/>'
        relations += f'<Relationship Id="rId{count}" Type="{_RELATIONS}/worksheet" Target="worksheets/s{count}.xml"/>'
        parts[f"xl/worksheets/s{count}.xml"] = _sheet(cells)
    parts["xl/workbook.xml"] = f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{listed}</sheets></workbook>'
    codes = '<numFmts count="1"><numFmt numFmtId="164" formatCode="[Red]mm:ss"/></numFmts>'
    styles = f'<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="{date_format}"/></cellXfs>'
    parts["xl/styles.xml"] = f'<styleSheet xmlns="{_MAIN}">{codes}{styles}</styleSheet>'
    package = "http://schemas.openxmlformats.org/package/2006"
    parts["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{package}/relationships">{relations}</Relationships>'
    root = f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    parts["_rels/.rels"] = f'<Relationships xmlns="{package}/relationships">{root}</Relationships>'
    parts["[Content_Types].xml"] = f'<Types xmlns="{package}/content-types"/>'
    return packed(parts)


def _sheet(cells: Mapping[str, str]) -> str:
    rows: dict[int, str] = {}
    for name, inside in cells.items():
        row = int(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        rows[row] = rows.get(row, "") + f'<c r="{name}"{inside}</c>'
    data = "".join(f'<row r="{row}">{content}</row>' for row, content in sorted(rows.items()))
    return f'<worksheet xmlns="{_MAIN}"><sheetData>{data}</sheetData></worksheet>'


def grid(*rows: tuple[object, ...]) -> dict[str, str]:
    """Cells from A1 on: texts, and numbers; None is no cell."""
    cells: dict[str, str] = {}
    for row, values in enumerate(rows, 1):
        for column, value in enumerate(values):
            if value is not None:
                cells[f"{chr(65 + column)}{row}"] = text(value) if isinstance(value, str) else number(value)
    return cells


def ods(rows: str, name: str = "One") -> bytes:
    """An OpenDocument sheet of these rows in XML."""
    spaces = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<office:document-content xmlns:office="{spaces}:office:1.0" xmlns:table="{spaces}:table:1.0"'
        f' xmlns:text="{spaces}:text:1.0" xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:x">'
        f'<office:body><office:spreadsheet><table:table table:name="{name}">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry'
        ' manifest:full-path="/" manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/>'
        "</manifest:manifest>"
    )
    return packed(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": content,
            "META-INF/manifest.xml": manifest,
        }
    )


def xlsb(*rows: tuple[float | str | None, ...], number_format: int = 0) -> bytes:
    """A binary workbook of one sheet, One; None is the error #N/A. ``number_format`` is that of all cells."""
    book = _record(131) + _record(143) + _record(156, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("One"))
    book += _record(144) + _record(132)
    data = _record(129) + _record(148, struct.pack("<4I", 0, max(0, len(rows) - 1), 0, 9)) + _record(145)
    for row, values in enumerate(rows):
        data += _record(0, struct.pack("<I", row) + bytes(21))
        for column, value in enumerate(values):
            data += _binary_cell(struct.pack("<II", column, 0), value)
    data += _record(146) + _record(130)
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    relations = f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.bin"/>'
    return packed(
        {
            "xl/workbook.bin": book,
            "xl/worksheets/sheet1.bin": data,
            "xl/styles.bin": _record(617, struct.pack("<I", 1)) + _record(47, struct.pack("<HH", 0, number_format)),
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}">{relations}</Relationships>',
        }
    )


def _binary_cell(place: bytes, value: float | str | None) -> bytes:
    if value is None:
        return _record(3, place + b"\x2a")
    if isinstance(value, str):
        return _record(6, place + _wide(value))
    if value == int(value) and abs(value) < 2**29:  # Excel writes small whole numbers so
        return _record(2, place + struct.pack("<i", int(value) << 2 | 2))
    return _record(5, place + struct.pack("<d", value))


def _record(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 127 | 128, kind >> 7])
    return head + bytes([len(data)]) + data


def _wide(value: str) -> bytes:
    return struct.pack("<I", len(value)) + value.encode("utf-16-le")
