"""Commands for developers; nothing here is needed to use the pack."""
