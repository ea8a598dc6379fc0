"""The embedded local stack: a real Kafka broker, schema registry and PostgreSQL without Docker.

    components.lock      coordinates, sizes and SHA-256 of every file that is not a Python package
    lock.py         reads and writes it
    components.py        brings the files into the user's cache, verified
    java.py         how Java runs here; `kept_classes.py` keeps its classes for the next starts
    ports.py        which ports the components listen on, and who holds one that is taken
    process.py      one supervised child process; `parent_death_guard.py` is how it starts
    owner.py        one living owner for each data directory
    system_user.py  who runs PostgreSQL where we are root
    kafka.py  registry.py  postgres.py      one component each
    stack.py        all of them together

Supported on Linux and macOS. Everything listens on loopback only.
"""
