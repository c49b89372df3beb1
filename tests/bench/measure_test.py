"""Each check of the benchmark's correctness finds what it is there for."""

import measure
import pytest
import scenarios

_STORM = next(one for one in scenarios.SCENARIOS if one.name == "storm-20k")
_STEADY = next(one for one in scenarios.SCENARIOS if one.name == "steady-2000")
_CHURN = next(one for one in scenarios.SCENARIOS if one.name == "churn")
# What the load server says when nothing is wrong.
_GOOD = {"watches": 1, "lists": 0, "unknown_requests": 0, "writes_in_flight_max": 32, "completed": 10, "false_reaps": 0,
         "missed_reaps": 0, "late_reaps": 0, "repeated_verdicts": 0, "verdicts": 98, "late_accepted": 2, "silenced": 100,
         "lease_renewals": 5, "lease_gap_ms_max": 2001, "canary_gap_ms_max": 2001}


@pytest.mark.parametrize("scenario", [_STORM, _CHURN])
def test_nothing_is_wrong(scenario):
    assert measure.faults(scenario, _GOOD, {"resident_growth_mib": 3.9}) == []


@pytest.mark.parametrize("scenario, said, fault", [
    (_STORM, {"false_reaps": 1}, "1 live runs reaped"),
    (_STORM, {"missed_reaps": 2}, "2 dead runs not reaped in time"),
    (_STORM, {"late_reaps": 1}, "1 dead runs reaped too late"),
    (_STORM, {"repeated_verdicts": 1}, "1 verdicts on top of another"),
    (_STORM, {"silenced": 101}, "101 runs fell silent, 100 were reaped or beat again"),
    (_STORM, {"verdicts": 0, "late_accepted": 100}, "no verdict at all"),
    (_STORM, {"writes_in_flight_max": 33}, "33 writes under way together; 32 may be"),
    (_STORM, {"watches": 0}, "it never listed"),
    (_STORM, {"unknown_requests": 3}, "3 requests that no controller makes"),
    (_STORM, {"lease_renewals": 0}, "it never had the Lease"),
    (_STORM, {"lease_gap_ms_max": 5001}, "5001 ms between two renewals of the Lease"),
    (_STORM, {"canary_gap_ms_max": 9000}, "9000 ms between two beats of the canary"),
    (_STEADY, {"silenced": 98, "late_accepted": 0}, "98 verdicts where no run was silent"),
    (_CHURN, {"completed": 0}, "no run completed"),
])
def test_what_is_wrong_is_found(scenario, said, fault):
    assert measure.faults(scenario, _GOOD | said, {}) == [fault]


def test_memory_that_grows_is_found():
    assert measure.faults(_CHURN, _GOOD, {"resident_growth_mib": 4.1}) == ["memory grew by 4.1 MiB; 4 may be"]
