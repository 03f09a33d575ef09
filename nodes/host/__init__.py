"""How this ComfyUI is built, and what differs between its versions. Other rooms know the objects that they
are about: a family the host's classes, the engine the conditioning and previews that it lends the level."""
