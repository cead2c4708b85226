"""The control socket: status, who, kick, reload, stop."""
