"""Files in, domain out: every reader reports all findings at once, and none holds any science."""
