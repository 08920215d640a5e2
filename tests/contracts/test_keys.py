"""What a destination does where the receiver turns it away, and where it keeps its keys."""

import dataclasses

import pytest

from tests.contracts.case import all_arrived, line, wait_until
from tests.contracts.conftest import CASES

KEYED = [case for case in CASES if case.deny is not None]
KEYLESS = [case for case in CASES if case.deny is None]


@pytest.mark.parametrize("case", KEYED, ids=lambda case: case.name)
def test_a_wrong_key_holds_the_records_and_says_so_once(case, road, receiver):
    """Somebody must act; until then nothing is lost, and the receiver is left in peace."""
    case.deny(case, receiver, 4)

    road.put(*(line(number) for number in range(100)))
    wait_until(lambda: road.stats.hold)

    all_arrived(road, receiver, 100)
    wait_until(lambda: not road.stats.hold)
    levels = [level for level, _ in road.alarms]
    assert levels == ["ERROR", "NOTICE"]
    assert "wait in the spool" in road.alarms[0][1]


@pytest.mark.parametrize("case", KEYED, ids=lambda case: case.name)
def test_no_secret_shows(case, road, receiver):
    """Neither in the name, which is a file's name, nor in an error or a repr."""
    case.deny(case, receiver, 1)
    road.put(line(0))
    wait_until(lambda: bool(road.alarms))

    destination = road.route.destination
    shown = f"{destination.name} {destination!r} {road.alarms} {vars(destination)!r}"
    config = getattr(destination, "_config", None)
    for secret in case.secrets:
        assert secret not in f"{destination.name} {destination!r} {road.alarms} {config!r}", shown


@pytest.mark.parametrize("case", KEYLESS, ids=lambda case: case.name)
def test_a_destination_that_nobody_turns_away_has_no_option_for_a_key(case, receiver):
    """Else the case claims wrongly that a wrong key cannot be tested."""
    config = case.destination(receiver).Config

    assert [one.name for one in dataclasses.fields(config) if not one.repr] == []
    assert case.secrets == ()
