"""Every case of the contract, with its receiver and a road to it."""

import importlib
import pkgutil

import pytest

from tests.contracts import cases
from tests.contracts.case import Road

CASES = [
    importlib.import_module(f"{cases.__name__}.{module.name}").CASE
    for module in pkgutil.iter_modules(cases.__path__)
]
ANSWERING = [case for case in CASES if case.silent is None]
SILENT = [case for case in CASES if case.silent is not None]


@pytest.fixture
def receiver(case):
    with case.receiver() as one:
        yield one
        assert getattr(one, "violations", []) == []


@pytest.fixture
def road(case, receiver, tmp_path):
    destination = case.destination(receiver)
    with Road(tmp_path, destination) as one:
        yield one
