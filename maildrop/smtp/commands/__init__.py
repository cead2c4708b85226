"""What each SMTP command does."""
