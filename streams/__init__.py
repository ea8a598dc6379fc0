"""Stream processing of energy infrastructure: normalize, reconcile, observe, sink."""
