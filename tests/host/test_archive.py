"""The registry's archive on a real host: unpacked into custom_nodes, its nodes are there and its files are
served. The other suites that ask a booted host ask this one, so that all they test is in the archive."""

from pathlib import Path

import pytest
from booted import FOLDER

PACK = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def unpacked(server):
    if not server.archived:
        pytest.skip("NO GIT REPOSITORY: the archive is made of tracked files")


def test_all_nodes_are_registered_and_the_pack_was_imported_without_an_error(server):
    found = server.get("/object_info")
    pages = {path.stem for path in (PACK / "web" / "docs").glob("*.md")}
    assert {name for name in found if name.startswith("Fresco")} >= pages and len(pages) >= 7
    failed = [line for line in server.output().splitlines() if "IMPORT FAILED" in line]
    assert not [line for line in failed if FOLDER in line], failed  # hosts may lack some of theirs


def test_what_the_browser_asks_for_is_served(server):
    for path in (
        "docs/FrescoApply.md",
        "docs/FrescoSchedule/zh.md",
        "docs/FrescoSchedule.jpg",
        "schedule_editor.js",
    ):
        assert len(server.get(f"/extensions/{FOLDER}/{path}", raw=True)) > 100
    assert "fresco_demo" in server.get("/workflow_templates")[FOLDER]
    assert server.get("/i18n")["zh"]["nodeDefs"]["FrescoApply"]["display_name"]
