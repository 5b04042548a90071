"""A deployment to an emulator is recognised, and none to AWS is taken for one."""

from __future__ import annotations

import pytest

from infra.target import decide_emulator, describe_emulator
from millrace.errors import InvalidConfiguration

HERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
ZEROS = "000000000000"
OF_AWS = "111122223333"


class TestRecognised:
    @pytest.mark.parametrize(
        "endpoint",
        [
            "http://127.0.0.1:4566",
            "https://127.0.0.1:4566",
            "http://localhost:4566/",
            "localhost:4566",
            "http://[::1]:4566",
            "http://127.8.0.1",
            "http://s3.localhost:4566",
            "http://localhost.localstack.cloud:4566",
        ],
    )
    def test_by_an_endpoint_on_this_machine(self, endpoint: str) -> None:
        for account in (ZEROS, None, "${Token[AWS.AccountId.4]}"):
            assert decide_emulator({"AWS_ENDPOINT_URL": endpoint}, account)

    def test_by_the_endpoint_of_cloudformation_first(self) -> None:
        endpoints = {"AWS_ENDPOINT_URL": "https://proxy.acme.example", "AWS_ENDPOINT_URL_CLOUDFORMATION": "localhost:1"}

        assert decide_emulator(endpoints, None)

    def test_by_an_account_that_nobody_has(self) -> None:
        """The endpoint may be in a profile, which only the CDK's command line has read."""
        assert decide_emulator({}, ZEROS)
        assert describe_emulator({}, ZEROS).startswith("Millrace: the account is 000000000000, so")
        assert "the endpoint is http://127.0.0.1:4566, so" in describe_emulator(HERE, ZEROS)

    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"AWS_ENDPOINT_URL": ""},
            {"AWS_ENDPOINT_URL": "https://vpce-1.cloudformation.eu-west-1.vpce.amazonaws.com"},
        ],
    )
    def test_aws_is_no_emulator(self, environment: dict[str, str]) -> None:
        for account in (OF_AWS, None):
            assert not decide_emulator(environment, account)


class TestGiven:
    def test_counts_where_it_can_be(self) -> None:
        """`cdk synth` knows no account."""
        assert decide_emulator({}, None, given=True)
        assert decide_emulator(HERE, OF_AWS, given=True)
        assert not decide_emulator(HERE, ZEROS, given=False)

    def test_an_emulators_stacks_never_go_to_aws(self) -> None:
        with pytest.raises(InvalidConfiguration, match="found true, but account 111122223333 is one of AWS"):
            decide_emulator({}, OF_AWS, given=True)

    def test_a_way_to_aws_on_this_machine_is_asked_about(self) -> None:
        """Both readings are shown, and how to choose."""
        with pytest.raises(InvalidConfiguration, match=r"emulator=true; if it is a way to AWS, say .*emulator=false"):
            decide_emulator(HERE, OF_AWS)
