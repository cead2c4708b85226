"""Mail in memory, for tests."""
