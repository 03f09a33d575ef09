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


ROWS_OF_FAMILIES = {
    "FLUX.1": ("FLUX", "FLUX.2"),
    "Chroma": ("Chroma",),
    "Qwen-Image": ("Qwen-Image",),
    "Wan 2.1": ("Wan",),
    "HunyuanVideo": ("HunyuanVideo", "HunyuanImage"),
    "Lumina 2": ("Lumina",),
    "Krea 2": ("Krea 2",),
    "Kandinsky 5": ("Kandinsky 5",),
    "SD3": ("SD3",),
    "SDXL": ("SDXL", "Stable Diffusion"),
    "LTX-Video": ("LTX-Video",),
    "LTX-2": ("LTX-2",),
    "MiniMax H3": ("MiniMax H3",),
    "HiDream O1": ("HiDream O1", "others"),
}
"""Families by how a row of the page's table begins."""


def test_the_page_of_models_tells_of_every_family_what_the_pack_knows():
    from fresco_pack.nodes.families import FAMILIES

    page = (PACK / "docs" / "models.md").read_text("utf-8").split("## Families")[1].split("\n## ")[0]
    lines = [line for line in page.splitlines() if line.startswith("| ")][1:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    families = {family.name: family for family in FAMILIES}
    assert len(rows) == len(ROWS_OF_FAMILIES)
    assert {name for names in ROWS_OF_FAMILIES.values() for name in names} == set(families)
    for (title, held, cost, mixed), (start, names) in zip(rows, ROWS_OF_FAMILIES.items(), strict=True):
        assert title.startswith(start)
        for family in (families[name] for name in names):
            if family.trained is None:
                assert "half resolution and 0.25 megapixels" in held
            else:
                least, _, most, *_ = held.split()
                known = [n / 1e6 for n in family.trained]
                assert [float(least), float(most)] == pytest.approx(known, rel=0.03), title
            told = cost, mixed.split(";")[0]
            assert told == ("yes" if family.readers else "no", "yes" if family.mixed else "no"), title
