"""Connections: listeners, the base transport, the pump, PROXY protocol, workers."""
