"""What each IMAP command does; the file is named like the command."""
