"""The same job in four ways, each written as its own documentation advises."""
