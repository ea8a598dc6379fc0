"""The ClickHouse sink: tables and rows as pure functions, the engine behind one class."""
