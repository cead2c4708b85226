"""Configuration, service tree, wiring: the one place that knows all."""
