"""What the browser asks the host for."""
