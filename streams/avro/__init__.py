"""Contracts, their compatibility, and Avro compiled for each schema."""
