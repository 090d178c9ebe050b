"""Pictures of rows: each kind says what it needs, and draws a matplotlib figure.

Rows are mappings: one row a cell (its keys and `summary.json`), or one a round (its keys and the
line of `rounds.jsonl`). Rows that differ in nothing that a picture shows are taken for seeds.
"""

from signfed.app.report.heatmap import Heatmap
from signfed.app.report.lines import Lines
from signfed.app.report.published import Published, within
from signfed.app.report.published_table import PublishedTable
from signfed.app.report.rows import Rows

__all__ = ["Heatmap", "Lines", "Published", "PublishedTable", "Rows", "within"]
