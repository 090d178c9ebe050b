"""On a benchmark's PYTHONPATH: a line for each request that Flower's processes make, and for each
push and pull of a ServerApp's, into the file that SIGNFED_TIMES names. See round_parts.py.
"""

import json
import os
import sys
import time
from importlib.machinery import PathFinder

FILE = os.environ.get("SIGNFED_TIMES")


def say(what, began, found=True):
    line = {"what": what, "began": began, "ended": time.monotonic(), "process": os.getpid()}
    with open(FILE, "a") as file:
        file.write(json.dumps({**line, "found": found}) + "\n")


def requests(module):
    ask = module.ProtobufClient._unary_unary

    def timed(self, **request):
        began, answer = time.monotonic(), None
        try:
            answer = ask(self, **request)
        finally:
            say(request["path"], began, answer is not None and answer.ByteSize() > 0)
        return answer

    module.ProtobufClient._unary_unary = timed


def grid(module):
    def timed(name, do):
        def call(self, messages):
            began = time.monotonic()
            found = list(do(self, messages))
            say(name, began, bool(found))
            return found

        setattr(module.HttpGrid, name, call)

    for name in ("push_messages", "pull_messages"):
        timed(name, getattr(module.HttpGrid, name))


HOOKS = {
    "flwr.supercore.protobuf.client": requests,
    "flwr.superlink.grid.http_grid": grid,
}


class Finder:
    """Has what is above done to a module of Flower's once it is loaded."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in HOOKS:
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def loaded(module):
            load(module)
            HOOKS[name](module)

        spec.loader.exec_module = loaded
        return spec


if FILE:
    sys.meta_path.insert(0, Finder)
