"""Logs by their presets: which fields a line has, what is missing in it, and which lines are refused."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest

from millrace.engine.explain.any_file import explain_file
from millrace.engine.formats.base import BadRow
from millrace.engine.formats.log.presets import FIELDS
from millrace.engine.formats.registry import FORMATS
from millrace.engine.options import TARGET_FORMATS, BadRows, Compression, FileFormat, LogPreset, ReadOptions
from millrace.errors import InvalidConfiguration, MalformedFile, MisfitLine, TooBig
from tests.unit.engine.formats.builders import conversion, converted, small_work

ALB = (
    "https 2026-11-28T10:00:00.186641Z app/shop/50dc6c 192.0.2.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
    '"GET https://shop.example:443/a?b=c HTTP/1.1" "agent/1.0 (x; y)" ECDHE-RSA-AES128 TLSv1.2 '
    'arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/t/1 "Root=1-5" "shop.example" "-" 1 '
    '2026-11-28T10:00:00.100000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"'
)
NLB = (
    "tls 2.0 2026-11-28T10:00:00 net/shop/c6e77e28c25b2234 g3d4b5e8bb8464cd 192.0.2.8:51341 10.0.0.2:443 5 2 98 246 - "
    "arn:aws:acm:eu-west-1:111122223333:certificate/2a10 - ECDHE-RSA-AES128-SHA tlsv12 - shop.example h2 h2 "
    '"h2","http/1.1" 2026-11-28T09:59:59'
)
S3 = (
    "79a59df9 photos [28/Nov/2026:10:00:38 +0000] 192.0.2.3 79a59df9 3E57427F3 REST.GET.OBJECT a%2520b.jpg "
    '"GET /photos/a%20b.jpg HTTP/1.1" 200 - 113 1130 7 5 "-" "agent/0.4" - s9lzHYrFp76ZVxRc= SigV4 '
    "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader photos.s3.example TLSV1.2 - -"
)
COMBINED = (
    '192.0.2.9 - frank [28/Nov/2026:13:55:36 -0700] "GET /a.gif HTTP/1.0" 200 2326 "http://www.example/" "agent (x)"'
)
FLOW = "2 123456789010 eni-1235b8ca 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time sc-bytes c-ip cs(User-Agent)\n2026-11-28\t10:00:00\t392\t192.0.2.4\tm%20x\n"
)
IIS = (
    "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2026-11-28 00:00:00\n"
    "#Fields: date time s-ip cs-method cs-uri-query sc-status\n2026-11-28 00:00:01 192.0.2.5 GET - 200\n"
)
SAMPLES = {
    LogPreset.APACHE: COMBINED,
    LogPreset.NGINX: COMBINED,
    LogPreset.ALB: ALB,
    LogPreset.NLB: NLB,
    LogPreset.CLOUDFRONT: CLOUDFRONT,
    LogPreset.S3_ACCESS: S3,
    LogPreset.VPC_FLOW: FLOW,
    LogPreset.W3C: IIS,
}
every_preset = pytest.mark.parametrize("preset", LogPreset)


def rows_of(preset: LogPreset, text: str, *, bad: list[BadRow] | None = None, **options: Any) -> list[dict[str, Any]]:
    given: dict[str, Any] = {"log_preset": preset, "infer_types": False}
    read = ReadOptions(**given | options)
    aside = bad if bad is not None else []
    records = FORMATS[FileFormat.LOG].read(io.BytesIO(text.encode()), read, report=aside.append)
    return [row for batch in records.batches for row in batch.to_pylist()]


def row_of(preset: LogPreset, line: str) -> dict[str, Any]:
    """The only row of a line, whether it is read in company or by itself."""
    (alone,) = rows_of(preset, line)
    assert rows_of(preset, f"{line}\n") == [alone]
    return alone


def values(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


@every_preset
def test_a_line_has_its_presets_fields(preset: LogPreset) -> None:
    """As many as the sample has, each with the text that is in it."""
    (row,) = rows_of(preset, SAMPLES[preset])

    line = SAMPLES[preset].splitlines()[-1]
    assert all(value in line for value in values(row).values())
    if preset in FIELDS:
        assert tuple(row) == (*FIELDS[preset].names, "further_fields")


@pytest.mark.slow
@every_preset
@pytest.mark.parametrize("target", TARGET_FORMATS)
def test_every_log_becomes_every_format(preset: LogPreset, target: FileFormat) -> None:
    data = SAMPLES[preset].encode()

    assert conversion(data, "log", target, log_preset=preset).rows.written == 1


@pytest.mark.slow
@every_preset
def test_every_log_is_read_compressed_and_in_small_blocks(preset: LogPreset) -> None:
    head, _, line = SAMPLES[preset].strip().rpartition("\n")
    text = "\n".join([*filter(None, [head]), *[line] * 100, ""])
    rows = rows_of(preset, text)
    read = ReadOptions(
        log_preset=preset, infer_types=False, compression=Compression.GZIP, work=small_work(len(line) * 3)
    )

    records = FORMATS[FileFormat.LOG].read(
        io.BytesIO(gzip.compress(text.encode())), read, report=lambda bad: pytest.fail(str(bad))
    )

    assert len(rows) == 100
    assert [row for batch in records.batches for row in batch.to_pylist()] == rows


@every_preset
def test_a_log_cut_off_in_its_last_line_is_refused(preset: LogPreset) -> None:
    """After the fourth field: what is left has too few fields for every preset."""
    text = SAMPLES[preset].strip()
    cut = text[: text.rfind("\n") + 1] + " ".join(text.splitlines()[-1].replace("\t", " ").split()[:4])

    with pytest.raises(MisfitLine, match=r"row 1 at byte .*no.* line end; is the file whole"):
        rows_of(preset, cut)


@every_preset
def test_an_empty_log_has_no_rows(preset: LogPreset) -> None:
    assert rows_of(preset, "") == []


@every_preset
def test_explain_names_the_preset(preset: LogPreset) -> None:
    content = explain_file(io.BytesIO(SAMPLES[preset].encode()), FileFormat.LOG, ReadOptions(log_preset=preset)).content

    assert content.error is None
    assert content.rows == 1
    assert [fact.value for fact in content.facts] == ["utf-8", preset]


class TestLoadBalancers:
    def test_alb(self) -> None:
        row = row_of(LogPreset.ALB, ALB)

        assert row["request"] == "GET https://shop.example:443/a?b=c HTTP/1.1"
        assert row["target_status_code_list"] == "200"
        assert row["redirect_url"] is row["chosen_cert_arn"] is row["conn_trace_id"] is None

    def test_a_quote_protected_in_quotes_stays_as_it_is_written(self) -> None:
        row = row_of(LogPreset.ALB, ALB.replace("agent/1.0", r"a\"b\x22c"))

        assert row["user_agent"] == r"a\"b\x22c (x; y)"

    def test_fields_that_are_not_known_yet_are_kept_as_they_are(self) -> None:
        row = row_of(LogPreset.ALB, f'{ALB} TID_1 "a" "b" "c" "more of it" 7')

        assert row["conn_trace_id"] == "TID_1"
        assert row["further_fields"] == '"more of it" 7'

    def test_times_numbers_and_codes_get_types(self) -> None:
        data = converted(f"{ALB}\n".encode(), "log", "json", log_preset=LogPreset.ALB)

        assert b'"time":"2026-11-28T10:00:00.186641Z"' in data.replace(b'": ', b'":')
        assert b'"sent_bytes":57' in data.replace(b'": ', b'":')

    @pytest.mark.parametrize(
        "line", ['x "a', ALB.replace('"forward"', '"for"ward"'), ALB.replace(" 0.086", ""), "http a b"]
    )
    def test_a_line_of_another_form_is_refused_with_its_text(self, line: str) -> None:
        with pytest.raises(MisfitLine, match="row 2 at byte ") as refused:
            rows_of(LogPreset.ALB, f"{ALB}\n{line}\n{ALB}\n")

        assert line[:20] in str(refused.value)
        assert refused.value.row == 2

    def test_nlb(self) -> None:
        row = row_of(LogPreset.NLB, NLB)

        assert row["alpn_client_preference_list"] == '"h2","http/1.1"'
        assert row["incoming_tls_alert"] is None


class TestWebServers:
    @pytest.mark.parametrize("preset", [LogPreset.APACHE, LogPreset.NGINX])
    def test_the_common_format_lacks_referer_and_agent(self, preset: LogPreset) -> None:
        common = COMBINED[: COMBINED.index(' "http:')]

        assert list(values(row_of(preset, common)).values()) == [
            "192.0.2.9", "frank", "28/Nov/2026:13:55:36 -0700", "GET /a.gif HTTP/1.0", "200", "2326",
        ]  # fmt: skip

    def test_a_user_may_be_missing_and_a_request_be_nothing(self) -> None:
        row = row_of(LogPreset.NGINX, '192.0.2.9 - - [28/Nov/2026:13:55:36 -0700] "" 400 0 "-" "-" "192.0.2.1"')

        assert row["remote_user"] is row["http_referer"] is None
        assert row["request"] == ""
        assert row["http_x_forwarded_for"] == "192.0.2.1"


def test_s3_access() -> None:
    row = row_of(LogPreset.S3_ACCESS, S3)

    assert row["time"] == "28/Nov/2026:10:00:38 +0000"
    assert row["key"] == "a%2520b.jpg"
    assert row["referer"] is row["error_code"] is row["acl_required"] is None


def test_s3_writes_a_dash_for_a_request_that_it_does_not_know() -> None:
    assert row_of(LogPreset.S3_ACCESS, S3.replace('"GET /photos/a%20b.jpg HTTP/1.1"', "-"))["request_uri"] is None


class TestFlowLogs:
    def test_without_a_header_it_is_the_default_format(self) -> None:
        row = row_of(LogPreset.VPC_FLOW, FLOW)

        assert (row["account-id"], row["log-status"]) == ("123456789010", "OK")

    def test_a_header_names_the_fields_even_new_ones(self) -> None:
        text = "version srcaddr dstaddr some-new-field log-status\n5 192.0.2.1 - x NODATA\n"

        assert rows_of(LogPreset.VPC_FLOW, text) == [
            {"version": "5", "srcaddr": "192.0.2.1", "dstaddr": None, "some-new-field": "x", "log-status": "NODATA"}
        ]


class TestDirectives:
    def test_cloudfront_names_its_fields(self) -> None:
        assert rows_of(LogPreset.CLOUDFRONT, CLOUDFRONT) == [
            {
                "date": "2026-11-28",
                "time": "10:00:00",
                "sc-bytes": "392",
                "c-ip": "192.0.2.4",
                "cs(User-Agent)": "m%20x",
            }
        ]

    def test_directives_may_come_again_with_the_same_fields(self) -> None:
        assert len(rows_of(LogPreset.W3C, IIS + IIS)) == 2

    def test_other_fields_further_down_are_refused(self) -> None:
        with pytest.raises(MisfitLine, match=r"row 2 .* names 2 fields where the file began with 6 others"):
            rows_of(LogPreset.W3C, IIS + "#Fields: date time\n2026-11-28 10:00:00\n")

    def test_a_file_without_fields_is_refused(self) -> None:
        with pytest.raises(MalformedFile, match="names no fields before byte 0"):
            rows_of(LogPreset.CLOUDFRONT, "2026-11-28\t10:00:00\n")

    def test_a_width_that_is_not_the_fields_is_refused(self) -> None:
        with pytest.raises(MisfitLine, match=r"row 2 at byte 102 has 1 field where 5 are expected: “x”"):
            rows_of(LogPreset.CLOUDFRONT, CLOUDFRONT + "x\n")

    def test_too_many_fields_are_refused(self) -> None:
        with pytest.raises(TooBig, match="30,000 columns"):
            rows_of(LogPreset.W3C, "#Fields:" + " x" * 30_000 + "\n")


def test_bad_lines_are_put_aside_with_their_text() -> None:
    bad: list[BadRow] = []

    rows = rows_of(LogPreset.ALB, f"{ALB}\nnonsense\n\n{ALB}\n", bad=bad, bad_rows=BadRows.QUARANTINE)

    assert len(rows) == 2
    assert [(one.line, one.row, one.raw) for one in bad] == [(2, 2, "nonsense")]


def test_without_a_preset_it_is_not_read() -> None:
    with pytest.raises(InvalidConfiguration, match=r"log_preset: .*apache, nginx, alb"):
        rows_of(LogPreset.ALB, ALB, log_preset=None)


def test_a_quoted_field_of_many_escapes_needs_little_memory_and_time() -> None:
    agent = r"\"" * 500_000

    assert row_of(LogPreset.ALB, ALB.replace("agent/1.0", agent))["user_agent"] == f"{agent} (x; y)"
