"""Decisions under uncertainty: scores schedules on draws of new patients and says what may be concluded."""
