"""The first seed that finds each broken variant; `python -m tests.simulation --broken` searches.

No drawn run is long enough for steps that are kept for good, and few lose just the one question:
those have tests of their own.
"""

FOUND = {
    "a silent node's workers are left out": 17,
    "one row is aggregated twice": 0,
    "two nodes may host one partition": 18,
    "any sender will do": 18,
    "the round of a reply is not compared": 4,
    "a node whose question is lost is not asked again": 42,
    "a claim is heard once": 88,
    "a round has no deadline": 57,
    "a doubled request advances what workers remember": 0,
    "a node does not compare digests or versions": 17,
    "a checkpoint without the rule's state": 1,
    "a checkpoint is not flushed": 10,
    "rounds.jsonl is not flushed before a checkpoint": 24,
    "a file is replaced before it is on the disk": 10,
    "a run without rounds left is not ended": 57,
    "old checkpoints go before the new one is there": 10,
}

# Of seeds of public apps alone.
FOUND_IN_PUBLIC = {
    "a silent node's workers are left out": 19,
    "any sender will do": 15,
    "a round has no deadline": 287,
    "a checkpoint without the rule's state": 3,
    "a checkpoint is not flushed": 79,
    "rounds.jsonl is not flushed before a checkpoint": 79,
    "a file is replaced before it is on the disk": 79,
    "a run without rounds left is not ended": 655,
    "an evaluation counts, whoever sends it": 99,
    "a resumed run numbers its nodes anew": 155,
    "a rule is not told whom to forget": 2371,
    "a resumed run does not know who was there": 535,
    "a doubled message advances what a mod remembers": 555,
    "a message that comes again after later ones is worked on": 555,
    "old checkpoints go before the new one is there": 131,
}
