"""What Fresco does to the host's official graphs, found without running any model.

Reading order: graph (a saved workflow as flat nodes and links), reading (what its numbers, pictures and
latents are), models (whose file a loader names), timetable (sigmas), sampler (one sampler's run), verdict
(the pack's own plan for it), experts (two samplers as one), fronted (the same graph with Fresco Apply in
front of every sampler), prompt (a graph as the API takes it), report.

    python -m tools.templates ~/ComfyUI/.venv/bin/python --out out/templates
"""
