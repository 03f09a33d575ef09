"""The trained demo models, and the command `python -m fresco_core demo` that draws with them.

The models: scenes and vocabulary (what a prompt can say), prompt, transformer, autoencoder, weights, and a
classifier that judges their pictures. The command: command, sheet.
"""
