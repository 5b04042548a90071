"""The kinds of logs: what divides their lines, and which fields these have in which order.

Sources: the documentation of Elastic Load Balancing (access logs of Application and of Network Load Balancers), Amazon
S3 (server access log format), Amazon VPC (flow log records), Amazon CloudFront (standard logs), the W3C's extended log
file format, Apache's mod_log_config and NGINX's ngx_http_log_module. Their writers add fields at a line's end from
time to time, so the last fields of a preset may be lacking in older files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from millrace.engine.options import LogPreset

MISSING = "-"
"""What all of these logs write where they have no value."""
FURTHER_FIELDS = "further_fields"
"""The column of what a line has behind the fields that are known, as it is in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsOfLog:
    """The fields of a kind of log.

    ``quoted`` are those within ``"``, in which a backslash protects a quote; ``bracketed`` is the time within ``[]``.
    At least ``fewest`` fields are in every line, what a line has beyond all of them goes into ``further_fields``.
    """

    names: tuple[str, ...]
    quoted: frozenset[str] = frozenset()
    bracketed: str | None = None
    fewest: int


_REQUEST = ("request", "status", "body_bytes_sent", "http_referer", "http_user_agent")
_ALB = (
    "type time elb client_port target_port request_processing_time target_processing_time response_processing_time "
    "elb_status_code target_status_code received_bytes sent_bytes request user_agent ssl_cipher ssl_protocol "
    "target_group_arn trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time "
    "actions_executed redirect_url error_reason target_port_list target_status_code_list classification "
    "classification_reason conn_trace_id transformed_host transformed_uri request_transform_status"
)
_ALB_QUOTED = (
    "request user_agent trace_id domain_name chosen_cert_arn actions_executed redirect_url error_reason "
    "target_port_list target_status_code_list classification classification_reason transformed_host transformed_uri "
    "request_transform_status"
)
_NLB = (
    "type version time elb listener client_port destination_port connection_time tls_handshake_time received_bytes "
    "sent_bytes incoming_tls_alert chosen_cert_arn chosen_cert_serial tls_cipher tls_protocol_version tls_named_group "
    "domain_name alpn_fe_protocol alpn_be_protocol alpn_client_preference_list tls_connection_creation_time"
)
_S3 = (
    "bucket_owner bucket time remote_ip requester request_id operation key request_uri http_status error_code "
    "bytes_sent object_size total_time turn_around_time referer user_agent version_id host_id signature_version "
    "cipher_suite authentication_type host_header tls_version access_point_arn acl_required"
)

FIELDS: Mapping[LogPreset, FieldsOfLog] = MappingProxyType(
    {
        # The common format ends with the bytes; the combined one has referer and user agent behind them.
        LogPreset.APACHE: FieldsOfLog(
            names=("host", "logname", "user", "time", "request", "status", "bytes_sent", "referer", "user_agent"),
            quoted=frozenset({"request", "referer", "user_agent"}),
            bracketed="time",
            fewest=7,
        ),
        LogPreset.NGINX: FieldsOfLog(
            names=("remote_addr", "remote_logname", "remote_user", "time_local", *_REQUEST, "http_x_forwarded_for"),
            quoted=frozenset({"request", "http_referer", "http_user_agent", "http_x_forwarded_for"}),
            bracketed="time_local",
            fewest=7,
        ),
        LogPreset.ALB: FieldsOfLog(names=tuple(_ALB.split()), quoted=frozenset(_ALB_QUOTED.split()), fewest=17),
        LogPreset.NLB: FieldsOfLog(names=tuple(_NLB.split()), fewest=18),
        LogPreset.S3_ACCESS: FieldsOfLog(
            names=tuple(_S3.split()),
            quoted=frozenset({"request_uri", "referer", "user_agent"}),
            bracketed="time",
            fewest=18,
        ),
    }
)
"""The presets whose fields are known; the others name theirs in the file."""

VPC_FLOW_DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
"""The fields of a flow log of the default format, which is version 2."""
VPC_FLOW_KNOWN = frozenset(
    (
        VPC_FLOW_DEFAULT + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id "
        "sublocation-type sublocation-id pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path "
        "ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id "
        "ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id reject-reason "
        "resource-id encryption-status"
    ).split()
)
"""Names by which the header of a file in S3 is known."""
