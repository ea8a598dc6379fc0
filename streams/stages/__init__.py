"""The stages' work on a batch: decode, decide with the pure core, encode. No I/O."""
