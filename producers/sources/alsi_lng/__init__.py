"""European LNG terminals: GIE ALSI."""
