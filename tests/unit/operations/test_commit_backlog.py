"""What `millrace status` says of finished files that are not in their Iceberg tables yet."""

from __future__ import annotations

from millrace.operations.queue_facts import CommitBacklog


def backlog(*, waiting: int = 0, put_off: int = 0, given_up: int = 0) -> CommitBacklog:
    return CommitBacklog(
        function="millrace-commit", queue="millrace-commit.fifo", waiting=waiting, put_off=put_off, given_up=given_up
    )


def test_what_waits_is_a_line() -> None:
    lines = list(backlog(waiting=1, put_off=2000).describe())

    assert lines == ["Iceberg tables: 1 finished file waiting to be committed, 2,000 worked on or put off"]


def test_what_was_given_up_says_where_the_reason_is_and_what_to_do() -> None:
    _, given_up = backlog(given_up=3).describe()

    assert "3 finished files could not be committed: millrace dead-letters --class commit" in given_up
    assert "the log of millrace-commit, says why" in given_up
    assert given_up.endswith("millrace redrive --class commit")


def test_all_of_it_is_in_json() -> None:
    assert backlog(waiting=4, given_up=1).to_json() == {
        "iceberg_commits": "millrace-commit",
        "waiting": 4,
        "put_off": 0,
        "given_up": 1,
    }
