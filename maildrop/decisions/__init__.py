"""Decisions: why each message and each login fared as it did, kept for a while."""
