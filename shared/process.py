"""How a process of ours runs: on uvloop, which takes half the time of asyncio's own loop, and with Python's collector
of cycles seldom at work. For each batch of events it looked through all that was ever imported: a third of a consumer's
time. What was imported stays anyway, and our own objects are freed by their counts.
"""

import asyncio
import gc

import uvloop

GARBAGE_OBJECTS_MAX = 20_000  # new ones that may be alive before the collector looks; Python's own number is 700
GARBAGE_GENERATION_RUNS = 20


def runner() -> asyncio.Runner:
    """The runner of a process's event loop."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS_MAX, GARBAGE_GENERATION_RUNS, GARBAGE_GENERATION_RUNS)
    return asyncio.Runner(loop_factory=uvloop.new_event_loop)
