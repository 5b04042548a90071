"""Files as services of AWS write them, made up from a seed: bytes, and the rows that they hold."""

from __future__ import annotations

import json
import random
from typing import Any

from millrace.engine.formats.log.presets import FIELDS
from millrace.engine.options import LogPreset

Rows = list[dict[str, Any]]

_AGENTS = (r"curl/8.5 \"beta\"", "Mozilla/5.0 (X11; Linux x86_64)", "-")
_CLOUDFRONT = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(User-Agent)"
_FLOW = "version account-id interface-id srcaddr dstaddr packets bytes start end action log-status"


def make_load_balancer_log(seed: int, count: int) -> tuple[bytes, Rows]:
    """Lines of an Application Load Balancer; a backslash protects a quote in a user agent, and is part of the value."""
    chance = random.Random(seed)
    fields = FIELDS[LogPreset.ALB]
    rows, lines = Rows(), []
    for number in range(count):
        row = dict.fromkeys(fields.names, "-")
        row |= {
            "type": chance.choice(["http", "https", "h2"]),
            "time": f"2026-11-28T10:{number % 60:02d}:00.{chance.randrange(10**6):06d}Z",
            "client_port": f"192.0.2.{chance.randrange(256)}:{chance.randrange(1024, 65536)}",
            "elb_status_code": str(chance.choice([200, 404, 502])),
            "target_status_code": chance.choice(["200", "-"]),
            "request": f"GET https://shop.example:443/a?q={number}%20b HTTP/1.1",
            "user_agent": chance.choice(_AGENTS),
        }
        lines.append(" ".join(_quote(row[name], quoted=name in fields.quoted) for name in fields.names))
        rows.append(row)
    return _to_lines(lines), rows


def make_cloudfront_log(seed: int, count: int) -> tuple[bytes, Rows]:
    """A standard log of CloudFront: its second line names the fields, tabs divide them."""
    chance = random.Random(seed)
    names = _CLOUDFRONT.split()
    lines, rows = ["#Version: 1.0", f"#Fields: {_CLOUDFRONT}"], Rows()
    for number in range(count):
        agent = chance.choice(["curl/8.5", "Mozilla/5.0%20(X11)", "-"])
        texts = ["2026-11-28", f"10:00:{number % 60:02d}", "FRA2-C1", str(chance.randrange(10**6)), "192.0.2.4", "GET"]
        texts += ["d1.cloudfront.example", f"/img/{number}.png", str(chance.choice([200, 304])), agent]
        lines.append("\t".join(texts))
        rows.append(dict(zip(names, texts, strict=True)))
    return _to_lines(lines), rows


def make_flow_log(seed: int, count: int) -> tuple[bytes, Rows]:
    """Flow log records of a VPC, with the header that files in S3 have; NODATA has no addresses."""
    chance = random.Random(seed)
    names = _FLOW.split()
    lines, rows = [_FLOW], Rows()
    for number in range(count):
        row = dict.fromkeys(names, "-") | {"version": "2", "account-id": "111122223333", "log-status": "NODATA"}
        row |= {"interface-id": f"eni-{number:08x}", "start": "1764324000", "end": "1764324060"}
        if chance.random() < 0.9:
            row |= {"srcaddr": "10.0.0.5", "dstaddr": f"10.0.1.{number % 256}", "log-status": "OK", "action": "ACCEPT"}
            row |= {"packets": str(chance.randrange(100)), "bytes": str(chance.randrange(10**9))}
        lines.append(" ".join(row.values()))
        rows.append(row)
    return _to_lines(lines), rows


def make_trail(seed: int, count: int) -> tuple[bytes, Rows]:
    """A file of CloudTrail: one object, whose events are in the list ``Records``."""
    chance = random.Random(seed)
    rows = [
        {
            "eventVersion": "1.11",
            "eventID": f"{chance.getrandbits(64):016x}",
            "eventName": chance.choice(["GetObject", "PutObject"]),
            "errorCode": chance.choice([None, "AccessDenied"]),
            "userIdentity": {"type": "AssumedRole", "accountId": "111122223333"},
            "additionalEventData": {"bytesTransferredOut": chance.randrange(10**12)},
        }
        for _ in range(count)
    ]
    return json.dumps({"Records": rows}).encode(), rows


def make_unload(seed: int, count: int) -> tuple[bytes, Rows]:
    r"""A part of Redshift's UNLOAD with ESCAPE and NULL AS '\N': no header, bars between fields; no empty texts."""
    chance = random.Random(seed)
    lines, rows = [], Rows()
    for number in range(count):
        note = chance.choice([None, "N", "a|b", "back\\slash", "00501"])
        written = "\\N" if note is None else note.replace("\\", "\\\\").replace("|", "\\|")
        lines.append(f"{number}|{written}|{number}.50")
        rows.append({"column_1": number, "column_2": note, "column_3": f"{number}.50"})
    return _to_lines(lines), rows


def _quote(text: str, *, quoted: bool) -> str:
    if not quoted:
        return text
    return f'"{text}"'


def _to_lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
