"""The micro-batch engine: what turns Faust's per-event machinery into transactional batches.

One batch is the records of one fetch of one input partition. Its life, in this order:

1. compute on an overlay of the state (`overlay`), nothing is written;
2. one Kafka transaction: outputs, outcomes, dead letters, changelog, last an `applied` entry with
   the input offset (`transactions`);
3. one atomic local write: the values and the changelog position (`store`);
4. acknowledge: the offset becomes committable (`transport`).

| crash | what the next owner finds |
|---|---|
| before 2 commits | `init_transactions` aborts it; the inputs are read again |
| between 2 and 3 | the changelog holds the batch: restored, its inputs skipped (`applied`) |
| between 3 and 4 | the same, nothing to restore |
| after 4, before Faust commits the offset | inputs at or below `applied` are skipped |

On assignment (`acquisition`): fence, restore the changelog to its end, check the input log; only
then inputs flow, and where a stage derives an index, those of a partition when its index is whole.
"""
