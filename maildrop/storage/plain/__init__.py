"""mbox files and Maildirs as they are, without control files of ours."""
