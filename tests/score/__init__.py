"""How well assets are matched: `make score`."""
