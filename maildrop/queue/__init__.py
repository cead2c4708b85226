"""The queue: messages that wait to go on, on disk."""
