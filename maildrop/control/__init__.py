"""The control socket: status, who, kick."""
