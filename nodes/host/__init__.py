"""How this ComfyUI is built: no other room asks which host it runs on, or looks inside its objects."""
