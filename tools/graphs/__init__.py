"""The example graphs of workflows/, written from short descriptions: each as the browser saves it, and as the
API takes it.

    python -m tools.graphs OBJECT_INFO.json

OBJECT_INFO.json is what a ComfyUI with this pack answers at /object_info; it tells each node's inputs.
"""
