"""Every input and output is explained: tooltips, help pages, and the locales' node definitions."""

import asyncio
import json
from pathlib import Path

import pytest

PACK = Path(__file__).parents[2]


def nodes():
    from fresco_pack import comfy_entrypoint

    async def listed():
        return await (await comfy_entrypoint()).get_node_list()

    return {node.define_schema().node_id: node.define_schema() for node in asyncio.run(listed())}


NODES = nodes()


def input_words(schema):
    """{input: tooltip} of a schema."""
    return {i.id: i.as_dict()["tooltip"] for i in schema.inputs}


@pytest.mark.parametrize("node", NODES)
def test_a_help_page_names_every_input_and_output(node):
    page = (PACK / "web" / "docs" / f"{node}.md").read_text("utf-8")
    schema = NODES[node]
    assert page.startswith(f"# {schema.display_name}\n")
    names = [*input_words(schema), *(o.display_name or o.io_type for o in schema.outputs)]
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
def test_a_locale_covers_every_input_and_output(language):
    definitions = json.loads((PACK / "locales" / language / "nodeDefs.json").read_text("utf-8"))
    assert set(definitions) == set(NODES)
    for node, schema in NODES.items():
        words = definitions[node]
        assert words["display_name"] and words["description"]
        assert set(words["inputs"]) == set(input_words(schema)), node
        assert set(words["outputs"]) == {str(i) for i in range(len(schema.outputs))}, node
        entries = [*words["inputs"].values(), *words["outputs"].values()]
        assert all(entry["name"] and entry["tooltip"] for entry in entries), node
        special = [e["tooltip"] for e in entries if set("{}@|") & set(e["tooltip"])]
        assert special == [], "the browser would read these characters as placeholders"


def test_the_english_locale_says_what_the_schemas_say():
    definitions = json.loads((PACK / "locales" / "en" / "nodeDefs.json").read_text("utf-8"))
    for node, schema in NODES.items():
        words = definitions[node]
        assert words["description"] == schema.description
        assert {k: v["tooltip"] for k, v in words["inputs"].items()} == input_words(schema)
        assert [v["tooltip"] for v in words["outputs"].values()] == [o.tooltip for o in schema.outputs]
