"""Checks of one record by itself, a file for each dimension; which kind gets which: `by_kind`."""
