"""What each POP3 command does."""
