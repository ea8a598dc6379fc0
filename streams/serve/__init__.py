"""The API: what the pipeline knows, read only, over HTTP."""
