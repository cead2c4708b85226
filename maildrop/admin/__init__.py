"""The ``maildrop`` command."""
