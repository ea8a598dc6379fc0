"""The sources: each one module or one package, registered in `producers/connectors.py`."""
