"""Every suite of tests/host on every host that is found; hosts.py says how they are run."""

import sys
from collections import Counter
from xml.etree.ElementTree import Element

import hosts
import pytest


@pytest.mark.parametrize(
    "case",
    [(host, suite) for host in hosts.FOUND for suite in hosts.SUITES],
    ids=lambda case: f"{case[0].name if case[0] else 'none'}-{case[1]}",
)
def test_host_suite(case, running, capsys):
    host, suite = case
    done, results = running[case].result()
    found = results[suite]
    bad = [text for c in found for kind in ("failure", "error") for text in told(c, kind)]
    skipped = Counter(e.get("message") for c in found for e in c.findall("skipped"))
    seconds = sum(float(c.get("time", 0.0)) for c in found)
    passed = len(found) - len(bad) - skipped.total()
    lines = [f"\n{host.name} {suite}: {passed} passed, {len(bad)} failed, in {seconds:.0f} s"]
    with capsys.disabled():
        print("\n".join([*lines, *(f"SKIPPED [{n}] {why}" for why, n in skipped.items())]), file=sys.stderr)
    assert not bad, "\n\n".join(bad)[-12000:]
    elsewhere = ("-k" in done.args or host != hosts.FOUND[0]) and done.returncode in (0, 1, 5)
    assert found or elsewhere, f"no test of {suite} ran:\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


def told(case: Element, kind: str) -> list[str]:
    """What a test's result says of its failure or error, if it has any."""
    return [f"{case.get('name')}:\n{element.text}"[-4000:] for element in case.findall(kind)]
