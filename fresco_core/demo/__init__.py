"""The trained demo model, and the command `python -m fresco_core demo` that draws with it.

The model: scenes and vocabulary (what a prompt can say), prompt, transformer, autoencoder, weights, and a
classifier that judges its pictures. The command: command, sheet.
"""
