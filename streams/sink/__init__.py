"""The ClickHouse sink: tables, rows and tokens as pure functions, the engine behind one class."""
