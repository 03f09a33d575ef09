"""A few words of the pack's in the metadata of what a prompt saves.

Nodes that save write the prompt into the file: the host hands them its own copy, the same object to all.
What the pack adds there stands under the `_meta` of its own node, beside the title, which nothing that loads
or runs a prompt reads; the workflow in the file stays as it is.
"""

from __future__ import annotations

from typing import Any

FIELD = "fresco"
PROMPT = "prompt"  # of a record: the id of the prompt that it is of, as files bring those of others
MOST_RUNS = 4  # of one node in one prompt


def running_prompt() -> str | None:
    """The id of the prompt that the host runs; None where there is none, as in scripts."""
    from comfy_execution.progress import get_progress_state

    return get_progress_state().prompt_id or None


def note_run(node: str | None, fields: dict[str, Any]) -> None:
    """Add what a run did to the running prompt, at the node that asked for it; nothing where there is none,
    as in scripts."""
    if node is None or not fields:
        return
    from comfy_execution.progress import get_progress_state

    state = get_progress_state()
    entry = state.dynprompt.get_original_prompt().get(str(node))
    if not isinstance(entry, dict):  # a node that was made while the prompt runs
        return
    meta = entry.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    before = meta.get(FIELD)
    came = before if isinstance(before, list) else []  # with the prompt, out of a file: may hold anything
    runs = [run for run in came if isinstance(run, dict) and run.get(PROMPT) == state.prompt_id]
    entry["_meta"] = {**meta, FIELD: [*runs, {**fields, PROMPT: state.prompt_id}][-MOST_RUNS:]}
