"""Pure functions: every decision of the product. No Kafka, no clock, no randomness, no I/O."""
