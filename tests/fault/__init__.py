"""Faults on real processes: whatever happens, the end equals that of an undisturbed run."""
