"""Tests of the contracts below `avro/`."""
