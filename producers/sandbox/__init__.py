"""A local server that speaks the upstreams' APIs, deterministic, for laptops and tests."""
