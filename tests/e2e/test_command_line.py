"""`millrace` against a deployment: ask for an object, count, convert again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from millrace.demo.deployed import DeployedDemo
from millrace.ledger.entries import State
from tests.e2e.commands import lines, run
from tests.e2e.places import in_folder, task_of

pytestmark = pytest.mark.e2e


def test_operator_asks_and_steers(deployed: DeployedDemo) -> None:
    """`show`, `status` and `reprocess` find the deployment by its name and tell what the ledger has."""
    ref = in_folder(deployed, "in", "by hand ü+.csv")
    task = task_of(deployed, "e2e parquet", ref)
    deployed.upload(ref, b"id,name\n007,Ada\n")
    first = deployed.wait(deployed.tasks([ref]), seconds=30)[task]

    shown = {line["sync"]: line for line in lines(deployed, "show", str(ref), "--json")}
    assert shown["e2e parquet"]["state"] == State.CONVERTED
    assert shown["e2e parquet"]["outputs"][0]["target"] == str(first.outputs[0].ref)

    counts = {line["sync"]: line["counts"] for line in lines(deployed, "status", "--json") if "sync" in line}
    assert counts["e2e parquet"][State.CONVERTED] >= 1

    answer = lines(deployed, "reprocess", "e2e parquet", "--key", ref.key, "--json")[-1]
    again = deployed.wait([task], seconds=30, until=lambda entry: entry.settled and entry.run_id == answer["run_id"])
    assert again[task].fence == first.fence + 1


def test_failed_objects_are_found_by_their_state(deployed: DeployedDemo) -> None:
    """What failed is in the index of what needs attention, and is put on the queue again from there."""
    ref = in_folder(deployed, "in", "ragged by hand.csv")
    task = task_of(deployed, "e2e csv", ref)
    deployed.upload(ref, b"id,name\n1,a,b\n")
    failed = deployed.wait([task], seconds=30)[task]

    failures = [line["failure"] for line in lines(deployed, "status", "--json") if "failure" in line]
    assert (str(ref), failed.sync) in {(failure["source"], failure["sync"]) for failure in failures}

    answer = lines(deployed, "reprocess", "e2e csv", "--state", "failed", "--json")[-1]
    again = deployed.wait([task], seconds=30, until=lambda entry: entry.settled and entry.run_id == answer["run_id"])
    assert again[task].state is State.FAILED
    assert again[task].fence == failed.fence + 1


def test_what_is_stale_is_counted_and_done_again(deployed: DeployedDemo, configuration: Path, tmp_path: Path) -> None:
    """A plan by a changed configuration names what the change makes stale, and a run does exactly what is stale."""
    ref = in_folder(deployed, "in", "plans/of the day.csv")
    task = task_of(deployed, "e2e parquet", ref)
    deployed.upload(ref, b"id,name\n1,Ada\n")
    first = deployed.wait([task], seconds=60)[task]
    here = ("--sync", "e2e parquet", "--prefix", ref.key, "--json")

    (listed,) = lines(deployed, "plan", *here, "--config", str(configuration))
    assert (listed["objects"], listed["bytes"]) == (1, 14)
    assert listed["forecast"]["minutes"] > 0
    assert listed["forecast"]["dollars"] > 0

    (current,) = lines(deployed, "plan", *here, "--stale", "--config", str(configuration))
    assert (current["objects"], current["not_stale"]) == (0, 1)

    changed = tmp_path / "changed.yaml"
    document = yaml.safe_load(configuration.read_text())
    for sync in document["bulk_syncs"]:
        sync["bad_rows"] = "quarantine"
    changed.write_text(yaml.safe_dump(document))
    (stale,) = lines(deployed, "plan", *here, "--stale", "--config", str(changed))
    assert (stale["objects"], stale["stale"]["configuration"], stale["examples"]) == (1, 1, [str(ref)])

    # What is deployed has not changed, so the function finds nothing to do.
    (answer,) = lines(deployed, "reprocess", "e2e parquet", "--prefix", ref.key, "--stale", "--json")
    assert (answer["sent"], answer["not_stale"]) == (0, 1)
    assert deployed.entry(task) == first


def test_doctor_finds_the_wiring_sound_and_measures_the_way(deployed: DeployedDemo, configuration: Path) -> None:
    """Nothing is in trouble but what the configuration breaks on purpose, and a canary comes through the whole way."""
    done = run(deployed, "doctor", "--config", str(configuration), "--canary", "--json")

    checks = [json.loads(line) for line in done.stdout.splitlines()]
    bad = [check for check in checks if check["verdict"] in {"trouble", "unknown"}]
    assert {check["subject"] for check in bad} == {"connection 'e2e no bucket'", "canary of 'e2e missing'"}
    assert done.returncode == 1
    assert any(check["subject"].startswith("canary") and "converted after" in check["text"] for check in checks)


def test_status_fits_a_terminal_and_forget_counts_first(deployed: DeployedDemo) -> None:
    """Queues, dead letters and syncs, in 80 columns but for addresses."""
    lines_of_text = run(deployed, "status", "--failures", "0").stdout.splitlines()

    assert any(line.startswith("queue millrace-") for line in lines_of_text)
    assert any(line.startswith("dead letters in millrace-dead-letters") for line in lines_of_text)
    assert all(len(line) <= 80 for line in lines_of_text if "://" not in line)
    assert "would forget 0 entries" in run(deployed, "forget", "never was").stdout


def test_object_that_nobody_has_seen_is_an_error(enforced: DeployedDemo) -> None:
    """Exit 1, with what it may mean."""
    done = run(enforced, "show", str(in_folder(enforced, "in", "never seen.csv")))
    assert done.returncode == 1
    assert "no entry" in done.stderr


def test_finished_work_is_listed_exported_and_summed(deployed: DeployedDemo) -> None:
    """From the ledger at first; once the day is exported, from its file, with the roles as they are granted."""
    ref = in_folder(deployed, "in", "history/of the day.csv")
    task = task_of(deployed, "e2e parquet", ref)
    deployed.upload(ref, b"id,name\n1,Ada\n2,Bob\n")
    entry = deployed.wait([task], seconds=60)[task]
    assert entry.finished is not None
    day = f"{entry.finished:%Y-%m-%d}"
    chosen = ("--sync", "e2e parquet", "--prefix", ref.key, "--since", "2d", "--json")
    (before,) = lines(deployed, "history", *chosen)
    assert (before["state"], before["rows_written"], before["bytes_read"]) == ("converted", 2, 20)

    function = deployed.emulator.client("lambda")
    answer = function.invoke(FunctionName="millrace-reconcile", Payload=json.dumps({"history": day}).encode())
    exported = json.loads(answer["Payload"].read())["exported"]
    assert exported[day]["rows"] >= 1

    assert lines(deployed, "history", *chosen) == [before]
    (cost,) = lines(deployed, "costs", *chosen, "--by", "day")
    assert (cost["day"], cost["works"], cost["rows_written"]) == (day, 1, 2)
    assert cost["dollars"] > 0
