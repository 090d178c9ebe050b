"""What a message costs a node, with the warm worker and without, beside Flower's own floor.

    python -m benchmarks.warm_node                 # processes of one message
    python -m benchmarks.warm_node --rounds 6      # rounds on loopback; four minutes when quiet

The floor is the app of `benchmarks/empty_round`, whose client does nothing. A message: the imports
of Flower's process, its unpacking of the app, and the client's answer (digits, one worker), without
what Flower asks and sends over HTTP, which is the same for all. The kinds take turns, so that what
else the machine does falls on all of them.

A round: a SuperLink and three SuperNodes, real processes, which carry the empty app and signfed in
turns: signfed's SuperNode, then Flower's own, whose seconds move in steps: idle, it asks every 3 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.cli.build import build_fab_from_disk
from flwr.common.serde import context_to_proto, message_to_proto

from benchmarks.common import report
from signfed.app.config.run_config import parse
from signfed.app.node.supernode import ITSELF as SUPERNODE
from signfed.app.runs.folder import read_rounds, read_summary
from signfed.app.task import find_task
from signfed.strategies.server.transport import wire
from tests import grid  # noqa: F401 - outside Flower, messages can be made only with it
from tests.loopback import BIN, ROOT, Processes

NODES = 3
EMPTY = Path(__file__).parent / "empty_round"
SUPERNODES = {
    "signfed's SuperNode": (sys.executable, "-m", SUPERNODE),
    "Flower's SuperNode": (str(BIN / "flower-supernode"),),
}
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


@dataclass
class Measured:
    """Seconds of rounds, and the digests of the models."""

    floor: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    models: set[str] = field(default_factory=set)


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


def federation(place: Path, supernode: Sequence[str], rounds: int, times: int) -> Measured:
    """Seconds of the rounds of the empty app and of signfed, in turns, and the model's digests."""
    processes, found = Processes(place), Measured()
    try:
        processes.federation(NODES, supernode=supernode)
        for number in range(times):
            out, empty = place / f"run-{number}", place / f"empty-{number}.json"
            given = f"rounds={rounds} nodes={NODES} out='{empty}'"
            assert processes.run_to_its_end(given, EMPTY) == "finished:completed"
            given = (
                f"num-rounds={rounds} num-workers={NODES} num-byzantine=0 attack='none' "
                f"strategy='sign-mv' evaluate-every={rounds} device='cpu' out-dir='{out}'"
            )
            status = processes.run_to_its_end(given)
            assert status == "finished:completed", (place / "superlink.log").read_text()[-3000:]
            # The first round has PyTorch imported and the data read, once.
            found.floor += json.loads(empty.read_text())[1:]
            found.ours += [sum(line["seconds"].values()) for line in read_rounds(out)[1:]]
            found.models.add(read_summary(out)["model_sha256"])
    finally:
        processes.end()
    return found


def rounds_of(rounds: int, times: int) -> list[dict[str, Any]]:
    """Seconds a round under both kinds of SuperNode, after the first round of each run."""
    rows, models, usual = [], set[str](), 0.0
    for kind, supernode in reversed(SUPERNODES.items()):
        with tempfile.TemporaryDirectory() as place:
            found = federation(Path(place), supernode, rounds, times)
        models |= found.models
        usual = usual or median(found.floor)
        rows.append(
            {
                "rounds under": kind, "s": median(found.ours), "empty app, s": median(found.floor),
                "s / empty": median(found.ours) / median(found.floor),
                "s / empty under Flower's": median(found.ours) / usual,
            }
        )  # fmt: skip
        print({k: round(v, 2) if isinstance(v, float) else v for k, v in rows[-1].items()})
    assert len(models) == 1, "the SuperNode changed the model"
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=0, help="7 for messages, 2 for rounds")
    parser.add_argument("--rounds", type=int, default=0, help="of federations; 0: messages alone")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    if given.rounds:
        times = given.times or 2
        rows = rounds_of(given.rounds, times)
        report(f"{given.rounds} rounds of {NODES} nodes, {times} times", rows, given.out)
    else:
        times = given.times or 7
        report(f"processes of one message, {times} times", messages(times), given.out)


if __name__ == "__main__":
    main()
