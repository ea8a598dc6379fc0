"""The ClickHouse model and its client, shared by what writes and what reads."""
