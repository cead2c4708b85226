"""From recipient address to mailbox."""
