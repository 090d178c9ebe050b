"""What MkDocs asks while it builds the site: pages that are made, links and equations."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

import api
import plugins
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent.parent
# Files outside docs/ that are pages of the site; others that are linked become a page of source.
PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
PAGES |= {"README.md": "index.md", "examples/README.md": "examples.md"}
LINK = re.compile(r"(\]\(|src=\")([^)\s#\"]+)(#[^)\s\"]*)?(?=[)\"\s])")
CODE = re.compile(r"(```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
MATH = re.compile(r"\$\$(.+?)\$\$|(?<![\\$\w])\$([^$\n]+)\$(?!\w)", re.DOTALL)
_made: dict[str, str] = {}  # path below docs/ -> Markdown


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make the pages, and give them their places in the navigation."""
    groups = plugins.generated()
    groups["API"] = api.generated()
    results = sorted((ROOT / "docs/results").glob("*/README.md"))
    paths = {title: list(pages) for title, pages in groups.items()}
    paths["Results"] = [f"results/{page.parent.name}/README.md" for page in results]
    for pages in groups.values():
        _made.update(pages)
    for part in config.nav or []:
        for title, entries in part.items():
            if title in paths and isinstance(entries, list):
                entries += [
                    {
                        PurePosixPath(p).parent.name
                        if title == "Results"
                        else PurePosixPath(p).stem: p
                    }
                    for p in paths[title]
                ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files below docs/."""
    read = {f"docs/{page.src_uri}": page.content_string for page in files.documentation_pages()}
    for source, path in PAGES.items():
        _made[path] = read[source] = (ROOT / source).read_text(encoding="utf-8")
    for source, text in read.items():
        _sources(source, text)
    for path, text in _made.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links that leave docs/ to pages of the site, and $...$ to MathML."""
    path = page.file.src_uri
    source = {there: here for here, there in PAGES.items()}.get(path, f"docs/{path}")
    if path in _made and path not in PAGES.values():
        return markdown
    parts = CODE.split(markdown)
    for i in range(0, len(parts), 2):
        parts[i] = MATH.sub(_mathml, parts[i])
    text = "".join(parts)
    return LINK.sub(lambda m: m[1] + _target(m[2], source, path) + (m[3] or ""), text)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load from this folder what the theme would load from the network."""
    return _own_worker(output, page.file.dest_uri)


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:
    """Do the same in the page for addresses that do not exist."""
    return _own_worker(output, template_name)


def _own_worker(output: str, path: str) -> str:
    here = relpath("assets/worker.js", str(PurePosixPath(path).parent))
    return output.replace("https://unpkg.com/iframe-worker/shim", here)


def _mathml(match: re.Match[str]) -> str:
    if match[1]:
        return f"<div class='equation'>{convert(match[1].strip(), display='block')}</div>"
    return convert(match[2])


def _target(link: str, source: str, path: str) -> str:
    """Where a link of a file leads on the site, seen from its page."""
    if re.match(r"[a-z]+:", link):
        return link
    file = normpath(str(PurePosixPath(source).parent / link))
    if file.startswith("docs/"):
        there = file.removeprefix("docs/")
    else:
        there = PAGES.get(file) or f"source/{file}.md"
    return relpath(there, str(PurePosixPath(path).parent))


def _sources(source: str, text: str) -> None:
    """Make a page of each file outside docs/ that a page links to, and of each folder."""
    for match in LINK.finditer(text):
        file = normpath(str(PurePosixPath(source).parent / match[2]))
        there = ROOT / file
        if ":" in match[2] or file.startswith("docs/") or file in PAGES or not there.exists():
            continue
        if there.is_dir():
            names = sorted(
                f.relative_to(ROOT).as_posix() for f in there.rglob("*.*") if f.is_file()
            )
            body = "\n".join(f"- `{name}`" for name in names if "__pycache__" not in name)
        else:
            body = f"```{there.suffix[1:] or 'sh'}\n{there.read_text(encoding='utf-8')}```"
        _made[f"source/{file}.md"] = f"# `{file}`\n\n{body}\n"
