"""What each POP3 command does, a file each; ``table`` has them all."""
