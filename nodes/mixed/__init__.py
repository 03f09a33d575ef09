"""Mixed sequences through the host's own networks: what the families' adapters have in common."""
