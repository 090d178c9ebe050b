"""Which rounds are waited for, by hand."""

from __future__ import annotations

from types import SimpleNamespace

from signfed.app.engines.local import later as module
from signfed.app.engines.local.later import RoundsLater


def test_a_second_after_the_last_state_another_is_offered(monkeypatch):
    """Rounds of 0.4 s; round 3 is evaluated, the state after round 5 is wanted in any case."""
    now = [10.0]
    monkeypatch.setattr(module, "monotonic", lambda: now[0])
    run = SimpleNamespace(evaluates=lambda t: t == 3, saves=lambda t: t == 5)
    later, found = RoundsLater(run, SimpleNamespace()), []
    for server_round in range(1, 12):
        now[0] = 10.0 + 0.4 * server_round
        if later.at_once(server_round):
            found.append(server_round)
    assert found == [3, 5, 8, 11]  # at 1.2 s, 2.0 s, 3.2 s, and 4.4 s
