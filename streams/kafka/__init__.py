"""Kafka from outside a stage: questions to the broker, reading and writing topics."""
