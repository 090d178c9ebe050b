"""What a message costs a node, with the warm worker and without, beside Flower's own floor.

    python -m benchmarks.warm_node --times 7          # processes of one message
    python -m benchmarks.warm_node --rounds 6         # rounds of a federation on loopback

The floor is the app of `benchmarks/empty_round`, whose client does nothing. A message: the imports
of Flower's process, its unpacking of the app, and the client's answer (digits, one worker), without
what Flower asks and sends over HTTP, which is the same for all. The kinds take turns, so that what
else the machine does falls on all of them.

A round: a SuperLink and three SuperNodes, real processes, which carry the empty app and then
signfed; with the worker, then without. Its seconds move in steps: an idle SuperNode asks every 3 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.cli.build import build_fab_from_disk
from flwr.common.serde import context_to_proto, message_to_proto

from benchmarks.common import report
from signfed.app.config.run_config import parse
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.task import find_task
from signfed.strategies.server.transport import wire
from tests import grid  # noqa: F401 - outside Flower, messages can be made only with it
from tests.loopback import ROOT, Processes

NODES = 3
EMPTY = Path(__file__).parent / "empty_round"
WARM, COLD, FLOOR = "warm worker", "a process per message", "Flower's floor"
DIGITS = {"num-workers": 1, "num-byzantine": 0, "attack": "none", "strategy": "sign-mv",
          "device": "cpu"}  # fmt: skip
# Flower's process of one message (flwr.supernode.runtime.run_clientapp), without HTTP.
PROCESS = """
import sys, time
from pathlib import Path
sys.argv[0] = "flwr-clientapp"
from flwr.supernode.cli.flwr_clientapp import flwr_clientapp
from flwr.cli.install import install_from_fab
from flwr.common.config import get_project_config
from flwr.common.serde import context_from_proto, context_to_proto, message_from_proto
from flwr.common.serde import message_to_proto
from flwr.proto.message_pb2 import Context, Message
from flwr.supercore.object_ref import load_app

place = Path(sys.argv[1])
folder = install_from_fab((place / "fab").read_bytes(), skip_prompt=True)
name = get_project_config(folder)["tool"]["flwr"]["app"]["components"]["clientapp"]
app = load_app(name, RuntimeError, folder)
context = context_from_proto(Context.FromString((place / "context").read_bytes()))
reply = app(message_from_proto(Message.FromString((place / "message").read_bytes())), context)
message_to_proto(reply).SerializeToString(), context_to_proto(context).SerializeToString()
assert not reply.has_error(), reply.error.reason
print(time.process_time())
"""


def request() -> Message:
    """A training request of round 1."""
    x = find_task("digits").problem(parse(DIGITS).workload).initial().numpy()
    config = ConfigRecord({"version": 0, "keep": True, "encoder": "sign", "digest": ""})
    model = ArrayRecord({"parameters": Array(x)})
    return wire.train([5], model, 1, config, 600.0)[0]


def prepared(place: Path, kind: str) -> Path:
    """The folder of what a message's process of that kind gets."""
    folder = place / kind.replace(" ", "-")
    folder.mkdir()
    node = {"partition-id": 0, "num-partitions": 1} | (
        {"warm-worker": False} if kind == COLD else {}
    )
    given = {"up": 0} if kind == FLOOR else DIGITS
    context = Context(1, 5, node, RecordDict(), given)
    (folder / "fab").write_bytes(build_fab_from_disk(EMPTY if kind == FLOOR else ROOT))
    (folder / "message").write_bytes(message_to_proto(request()).SerializeToString())
    (folder / "context").write_bytes(context_to_proto(context).SerializeToString())
    return folder


def messages(times: int) -> list[dict[str, Any]]:
    """Seconds of the processes of one message; the first of each kind is not counted."""
    kinds = (FLOOR, WARM, COLD)
    wall: dict[str, list[float]] = {kind: [] for kind in kinds}
    cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as place:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"FLWR_HOME": f"{place}/home", "FLWR_TELEMETRY_ENABLED": "0"}
        folders = {kind: prepared(Path(place), kind) for kind in kinds}
        for _ in range(times + 1):
            for kind in kinds:
                began = time.perf_counter()
                with (folders[kind] / "said").open("w+") as said:  # no pipe: the worker holds it
                    subprocess.run(
                        [sys.executable, "-c", PROCESS, str(folders[kind])],
                        env=environment, stdout=said, stderr=said, check=True,
                    )  # fmt: skip
                    wall[kind].append(time.perf_counter() - began)
                    said.seek(0)
                    text = said.read()
                assert "answered without" not in text, text
                cpu[kind].append(float(text.splitlines()[-1]))
    return [
        {
            "message": kind, "s": median(wall[kind][1:]), "CPU s": median(cpu[kind][1:]),
            "s / floor": median(wall[kind][1:]) / median(wall[FLOOR][1:]),
            "CPU / floor": median(cpu[kind][1:]) / median(cpu[FLOOR][1:]),
        }
        for kind in kinds
    ]  # fmt: skip


def federation(place: Path, node_config: str, rounds: int) -> tuple[list[float], list[float], str]:
    """Seconds of the rounds of the empty app and of signfed, and the digest of its model."""
    processes, out = Processes(place), place / "run"
    try:
        processes.federation(NODES, node_config)
        given = f"rounds={rounds} nodes={NODES} out='{place / 'empty.json'}'"
        assert processes.run_to_its_end(given, EMPTY) == "finished:completed"
        given = (
            f"num-rounds={rounds} num-workers={NODES} num-byzantine=0 attack='none' "
            f"strategy='sign-mv' evaluate-every={rounds} device='cpu' out-dir='{out}'"
        )
        status = processes.run_to_its_end(given)
        assert status == "finished:completed", (place / "superlink.log").read_text()[-3000:]
    finally:
        processes.end()
    ours = [sum(line["seconds"].values()) for line in read_rounds(out)]
    return json.loads((place / "empty.json").read_text()), ours, read_summary(out)["model_sha256"]


def rounds_of(rounds: int, times: int) -> list[dict[str, Any]]:
    """Seconds a round of both kinds of federation, which take turns."""
    found: dict[str, tuple[list[float], list[float]]] = {WARM: ([], []), COLD: ([], [])}
    models = set()
    for _ in range(times):
        for kind, (empty, ours) in found.items():
            with tempfile.TemporaryDirectory() as place:
                node_config = "" if kind == WARM else "warm-worker=false"
                floor, measured, model = federation(Path(place), node_config, rounds)
            empty += floor
            ours += measured
            models.add(model)
            print(kind, [round(s, 1) for s in floor], [round(s, 1) for s in measured], flush=True)
    assert len(models) == 1, "the worker changed the model"
    return [
        {
            "round": kind, "s": median(ours), "floor s": median(empty),
            "s / floor": median(ours) / median(empty), "mean / floor": mean(ours) / mean(empty),
        }
        for kind, (empty, ours) in found.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=0, help="of federations; 0: messages alone")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.rounds:
        rows = rounds_of(given.rounds, given.times)
        report(f"{given.rounds} rounds of {NODES} nodes, {given.times} times", rows, given.out)
    else:
        report(f"processes of one message, {given.times} times", messages(given.times), given.out)


if __name__ == "__main__":
    main()
