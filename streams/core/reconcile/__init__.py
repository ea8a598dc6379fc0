"""Reconciliation: one asset, one id, whatever number of sources report it.

Pure, and split by step:

1. `prepare`: the records of one source entity become one comparable `Entity`;
2. `block`: the keys under which an entity meets those it may be one with;
3. `score`: how alike two entities of different sources are;
4. `assign`: edges and decisions of one component become groups, one asset each;
5. `survive`: the members of a group become one canonical payload with provenance;
6. `resolver`: keeps all of that incrementally for one partition.

The result depends on the set of records and decisions only, never on their order. Weights,
thresholds and orders are in `rules.yaml`, token counts in `tokens.tsv`.
"""
