"""mbox: the spool inbox and a folder directory."""
