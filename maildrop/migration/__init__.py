"""Mail on its way between servers and files: read, compared, carried over."""
