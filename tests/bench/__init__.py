"""Speed against named alternatives, measured side by side on one machine in one run.

job.py              the job: decode a framed raw record, set a table key, encode, produce
load.py             the input: made-up ALSI days
contenders/         the job in each way: this engine, Faust, Quix Streams, confluent-kafka
measure.py          one run of one contender: a process of its own, timed by the broker's clock
compare.py          rounds of all contenders, and their medians and ratios
codec.py            the Avro codec beside fastavro, on the examples of every contract
serving.py          the API under load, and what limits it; serving.lua is what wrk asks
serving_process.py  the process it asks: engine, API and loader
__main__.py         `make bench`
"""
