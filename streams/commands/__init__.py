"""What people type: one command, one file."""
