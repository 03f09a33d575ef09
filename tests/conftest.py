"""`-k` reaches the tests that run under a host's Python: a suite goes by the names of its functions too. They
run beside the others from the beginning on."""

import os
from contextlib import suppress

import hosts
import pytest

# for core tests, hosts and whatever they start, before torch is imported: on small tensors threads only wait
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_itemcollected(item):
    if item.originalname == "test_host_suite":
        item.extra_keyword_matches.update(hosts.functions(item.callspec.params["case"][1]))


def pytest_terminal_summary(terminalreporter):
    """A run's seconds mean little without it."""
    terminalreporter.write_line(f"{os.cpu_count()} processors")


@pytest.fixture(scope="session")
def running(request, tmp_path_factory):
    """What each host's suite will have found; without a host the tests that ask are skipped, or fail."""
    reason = hosts.missing()
    if reason:
        (pytest.fail if os.environ.get("FRESCO_HOSTS") == "required" else pytest.skip)(reason)
    cases = {item.callspec.params["case"] for item in _of_hosts(request.session)}
    with hosts.started(cases, request.config.getoption("keyword"), tmp_path_factory.mktemp("hosts")) as found:
        yield found


@pytest.fixture(scope="session", autouse=True)
def hosts_begin(request):
    """Starts them before the first test, where any is wanted."""
    if _of_hosts(request.session):
        with suppress(pytest.skip.Exception, pytest.fail.Exception):  # said by the tests that ask for it
            request.getfixturevalue("running")


def _of_hosts(session):
    return [item for item in session.items if "running" in getattr(item, "fixturenames", ())]
