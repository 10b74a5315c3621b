"""What is observed, with which error."""
