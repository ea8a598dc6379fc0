"""Stream processing of energy infrastructure: normalize, reconcile, observe, sink."""

import gc

# Python looks for cycles after each 700 new objects: while modules are imported that is up to a
# fifth of a start, while records are decoded up to half of the time (measured).
gc.set_threshold(100_000, 20, 20)
