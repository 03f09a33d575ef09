"""ComfyUI's sampling led through Course: wrappers around the host's own calls, and the state of one run."""
