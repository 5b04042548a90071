"""The state machine of big runs, in every configuration: its way, its limits, whom it tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from big_run.status_changes import read_event
from millrace.big_runs.events import AFTER_MAP, DONE, FAILED, MAPS, Phase, PhaseEvent, RunPlace
from millrace.objects.references import ObjectRef
from tests.infra.templates import Synthesised, Template, text

State = dict[str, Any]
PLACE = RunPlace(run="r1", connection="lake", home=ObjectRef("acme-out", "lake/.millrace/runs/r1/"))


@pytest.fixture(scope="session")
def definition(processing: Template) -> dict[str, Any]:
    """What the machine of every case in turn does, as Step Functions reads it."""
    machine = processing.one("StepFunctions::StateMachine")
    return dict(json.loads(text(machine["Properties"]["DefinitionString"])))


@pytest.fixture(scope="session")
def states(definition: dict[str, Any]) -> dict[str, State]:
    """Its states by name, without those of children."""
    return dict(definition["States"])


def _tasks(states: dict[str, State]) -> Iterator[tuple[str, State]]:
    """Every state that invokes the function, those of children included."""
    for name, state in states.items():
        if state["Type"] == "Task":
            yield name, state
        elif state["Type"] == "Map":
            yield from _tasks(state["ItemProcessor"]["States"])


class TestWay:
    """From phase to phase."""

    def test_begins_with_the_plan_and_goes_where_the_answer_says(
        self, definition: dict[str, Any], states: dict[str, State]
    ) -> None:
        """Every single phase's answer is read by the same choice."""
        assert definition["StartAt"] == Phase.PLAN
        singles = {name for name, state in states.items() if state.get("Next") == "pause"}

        assert states["pause"]["Default"] == states["wait"]["Next"] == "route"
        assert singles == set(Phase) - MAPS - {Phase.FAIL, Phase.HEAL}
        assert {states[name]["ResultPath"] for name in singles} == {"$.step"}

    def test_knows_every_answer(self, states: dict[str, State]) -> None:
        """What no machine knows is no silent end."""
        route = states["route"]
        targets = {choice["StringEquals"]: choice["Next"] for choice in route["Choices"]}

        # Only a map leads to these: nobody answers them.
        behind = set(AFTER_MAP.values()) - {Phase.PLAN, Phase.PUBLISH}
        assert set(targets) - behind == {*MAPS, Phase.PLAN, Phase.PUBLISH, DONE, FAILED}
        assert states[targets[DONE]]["Type"] == "Succeed"
        assert states[targets[FAILED]]["Error"] == "Refused"
        assert states[route["Default"]]["Error"] == "UnknownPhase"

    def test_reads_what_children_left_by_the_phase_behind_their_map(self, states: dict[str, State]) -> None:
        maps = {name: state["Next"] for name, state in states.items() if state["Type"] == "Map"}

        assert maps == {str(name): str(after) for name, after in AFTER_MAP.items()}

    def test_settles_the_entry_whatever_breaks(self, states: dict[str, State]) -> None:
        """A caught error reaches the phase that settles, then ends the execution by its own name."""
        for name, state in states.items():
            if state["Type"] in {"Task", "Map"} and name != Phase.FAIL:
                (catch,) = state["Catch"]
                assert catch == {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "fail"}
        broken = states[states["fail"]["Next"]]
        assert broken == {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "$.error.Cause"}


class TestEvents:
    """What the function hears."""

    def test_are_events_of_phases(self, states: dict[str, State]) -> None:
        """Each names its phase, and hands on what the execution was started with."""
        for name, state in states.items():
            template = state.get("Parameters") or state.get("ItemSelector")
            if template is not None:
                asked = PhaseEvent.from_event(_fill(template))
                assert asked.phase == name
                assert asked.place == PLACE
                assert asked.index == (3 if state["Type"] == "Map" else 0)

    def test_of_children_are_the_items_as_they_were_selected(self, states: dict[str, State]) -> None:
        for phase in MAPS:
            (child,) = states[phase]["ItemProcessor"]["States"].values()
            assert "Parameters" not in child


def _fill(template: dict[str, Any]) -> dict[str, Any]:
    """A template filled as Step Functions does, in a run whose third part is next."""
    data = {
        "$.run": PLACE.run,
        "$.order": PLACE.to_input()["order"],
        "$.error": {"Error": "Lambda.Unknown", "Cause": "killed"},
        "$$.Map.Item.Value": 3,
    }
    filled = {}
    for name, value in template.items():
        filled[name.removesuffix(".$")] = data[value] if name.endswith(".$") else value
    return filled


class TestBounds:
    """Nothing grows with the number of parts but the list of their numbers."""

    def test_children_run_side_by_side_as_the_option_says(
        self, synthesised: Synthesised, states: dict[str, State]
    ) -> None:
        """Each is an execution of its own, whose history has few events."""
        for phase in MAPS:
            state = states[phase]
            assert state["MaxConcurrency"] == synthesised.case.options.big_run_concurrency
            assert state["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
            # One child that fails ends the map: nothing is tolerated.
            assert not [field for field in state if field.startswith("Tolerated")]

    def test_children_leave_nothing_in_the_state(self, states: dict[str, State]) -> None:
        """Their outcomes are objects; 10,000 answers would exceed the 256 KB of a state."""
        for phase in MAPS:
            (child,) = states[phase]["ItemProcessor"]["States"].values()
            assert states[phase]["ResultPath"] is None
            assert child["ResultPath"] is None
            assert child["OutputPath"] is None

    def test_ten_thousand_parts_fit_into_a_state(self) -> None:
        place = RunPlace(run="r" * 80, connection="c" * 100, home=ObjectRef("b" * 63, "k" * 900 + "/"))
        state = {**place.to_input(), "step": {"next": Phase.CONVERT, "items": list(range(10_000))}}

        assert len(json.dumps(state)) < 100_000

    def test_every_invocation_has_its_time_and_the_whole_a_day(
        self, synthesised: Synthesised, definition: dict[str, Any], states: dict[str, State]
    ) -> None:
        for _, task in _tasks(states):
            assert task["TimeoutSeconds"] == synthesised.case.options.timeout_seconds + 60
        assert definition["TimeoutSeconds"] == 24 * 3600

    def test_what_may_succeed_is_tried_again(self, states: dict[str, State]) -> None:
        """Throttles for long, a broken service and killed children some times; what raises at last is caught."""
        for _, task in _tasks(states):
            throttled, broken, others = task["Retry"]
            assert throttled["ErrorEquals"] == ["Lambda.TooManyRequestsException"]
            assert throttled["MaxDelaySeconds"] == 300
            assert "Lambda.ServiceException" in broken["ErrorEquals"]
            # States.ALL stands alone and last, or Step Functions refuses the machine.
            assert others["ErrorEquals"] == ["States.ALL"]
            assert others["MaxAttempts"] == 4


class TestHealing:
    """What happens when an execution ends badly."""

    def test_the_function_hears_of_this_machine_alone(self, processing: Template) -> None:
        rules = [rule for rule in processing.properties("Events::Rule") if "EventPattern" in rule]
        (rule,) = (rule for rule in rules if rule["EventPattern"]["source"] == ["aws.states"])
        (machine,) = processing.of("StepFunctions::StateMachine")
        (target,) = rule["Targets"]
        (function,) = (
            name
            for name, one in processing.of("Lambda::Function").items()
            if one["Properties"]["Handler"] == "big_run.handler.handle"
        )

        assert rule["EventPattern"]["source"] == ["aws.states"]
        assert rule["EventPattern"]["detail"] == {
            "stateMachineArn": [{"Ref": machine}],
            "status": ["FAILED", "TIMED_OUT", "ABORTED"],
        }
        assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}

    def test_the_rule_alone_may_call_it(self, processing: Template) -> None:
        patterns = {name: one["Properties"].get("EventPattern") for name, one in processing.of("Events::Rule").items()}
        (rule,) = (name for name, pattern in patterns.items() if pattern and pattern["source"] == ["aws.states"])
        permissions = [
            one
            for one in processing.properties("Lambda::Permission")
            if one["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}
        ]

        (permission,) = permissions
        assert permission["Principal"] == "events.amazonaws.com"
        assert permission["SourceAccount"] == "111122223333"

    def test_what_eventbridge_says_is_the_phase_that_heals(self) -> None:
        """The input comes back as text."""
        detail = {"name": "r1-2", "status": "ABORTED", "input": json.dumps(PLACE.to_input())}

        asked = PhaseEvent.from_event(read_event({"source": "aws.states", "detail": detail}))

        assert (asked.phase, asked.place, asked.status) == (Phase.HEAL, PLACE, "ABORTED")

    def test_other_events_are_left_as_they_are(self) -> None:
        event = {"phase": "plan", **PLACE.to_input()}

        assert read_event(event) == event


def test_is_traced_but_on_the_emulator(of_case: Callable[[str], Synthesised]) -> None:
    for case, is_traced in (("created buckets", True), ("emulator", False)):
        machine = of_case(case).processing.one("StepFunctions::StateMachine")
        assert machine["Properties"]["TracingConfiguration"] == {"Enabled": is_traced}


def test_alarms_watch_runs_that_end_badly(processing: Template) -> None:
    watched = {alarm["MetricName"] for alarm in processing.properties("CloudWatch::Alarm")}

    assert {"ExecutionsFailed", "ExecutionsTimedOut"} <= watched
