"""Producers: poll upstream sources and publish what they say, unchanged, to raw topics."""
