"""A few words of the pack's in the metadata of what a prompt saves.

Nodes that save write the prompt into the file: the host hands them its own copy, the same object to all.
What the pack adds there stands under the `_meta` of its own node, beside the title, which nothing that loads
or runs a prompt reads; the workflow in the file stays as it is.
"""

from __future__ import annotations

from typing import Any

FIELD = "fresco"
MOST_RUNS = 4  # of one node in one prompt


def note_run(node: str | None, fields: dict[str, Any]) -> None:
    """Add what a run did to the running prompt, at the node that asked for it; nothing where there is none,
    as in scripts."""
    if node is None or not fields:
        return
    from comfy_execution.progress import get_progress_state

    running = get_progress_state().dynprompt
    entry = running.get_original_prompt().get(str(node))
    if not isinstance(entry, dict):  # a node that was made while the prompt runs
        return
    runs = [*entry.get("_meta", {}).get(FIELD, []), fields]
    entry["_meta"] = {**entry.get("_meta", {}), FIELD: runs[-MOST_RUNS:]}
