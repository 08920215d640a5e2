"""Each test of the call runs twice: with nobody else listening, and beside a foreign handler."""

import logging

import pytest


@pytest.fixture(autouse=True, params=["alone", "handled"])
def listeners(request):
    """Name which of the two ways a test runs in; see the hook below."""
    return request.param


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item):
    """Take pytest's own handlers off the root, unless the test asks for caplog."""
    if "caplog" in item.fixturenames or "listeners" not in item.fixturenames:
        return (yield)
    root = logging.root
    before = root.handlers[:]
    root.handlers = []
    if item.funcargs["listeners"] == "handled":
        root.addHandler(logging.NullHandler())
    try:
        return (yield)
    finally:
        root.handlers = before
