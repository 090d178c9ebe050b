"""The pages of the API: what `signfed` offers, by what a reader wants to do."""

from __future__ import annotations

import signfed

# Page -> its title, and the modules whose docstrings it shows.
GROUPS = {
    "run": ("Run and report", (
        "app.engines.launch", "app.report.making", "app.runs.recorder", "app.errors",
    )),
    "data": ("Data, models, losses", ("app.task",)),
    "rules": ("One call of a rule, and a rule of one's own", (
        "strategies.registry", "strategies.core.rule", "strategies.core.updates",
        "strategies.server.strategy", "strategies.server.nodes", "strategies.core.options",
    )),
    "attacks": ("Attacks", (
        "attacks.crafting", "attacks.core.attack", "attacks.core.view", "attacks.core.findings",
        "attacks.core.past", "attacks.core.data",
    )),
    "clients": ("Clients and mods", (
        "clients.honest", "clients.byzantine", "clients.mods.one_bit", "clients.mods.byzantine",
        "clients.encoders.plain", "clients.encoders.stochastic",
    )),
    "wire": ("Codecs and messages", (
        "strategies.core.codecs", "strategies.core.drop_reason",
        "strategies.server.transport.wire", "strategies.server.transport.plain",
    )),
    "bounds": ("The papers' bounds", (
        "strategies.bounds.federated_defense", "strategies.bounds.majority_vote",
        "strategies.bounds.byzantine_fault_tolerance", "strategies.bounds.election",
        "strategies.bounds.signguard", "strategies.bounds.exact",
    )),
}  # fmt: skip


def generated() -> dict[str, str]:
    """Path -> Markdown, of the index first."""
    rows = [f"| `signfed.{name}` | `signfed.{home}` |" for name, home in signfed._HOMES.items()]
    index = (
        "# API\n\nEverything public is imported from `signfed`, and loaded when it is first asked "
        "for. Each rule and each attack has a page of its own ([rules](../rules.md), "
        "[attacks](../attacks.md)).\n\n| name | defined in |\n|---|---|\n" + "\n".join(rows) + "\n"
    )
    pages = {"api/index.md": index}
    for name, (title, modules) in GROUPS.items():
        options = "    options:\n      heading_level: 3\n      show_root_heading: false\n"
        parts = [f"## `signfed.{m}`\n\n::: signfed.{m}\n{options}" for m in modules]
        pages[f"api/{name}.md"] = f"# {title}\n\n" + "\n".join(parts)
    return pages
