"""The country grid that `streams.core.geography` reads, and the recipe that made it."""
