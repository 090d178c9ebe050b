"""A run or a sweep as an RO-Crate: what ran, with what, and what came out, for machines to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from signfed.app.errors import ConfigError, installed
from signfed.app.report.reading import Run
from signfed.app.report.rows import PLACES
from signfed.app.report.sources import find
from signfed.app.runs.folder import ENDED, FAILED, INTERRUPTED
from signfed.app.runs.json_files import as_json
from signfed.app.runs.sweeps import SWEEP, SweepFolder
from signfed.app.runs.versions import versions

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
KINDS = {
    ".json": "application/json", ".jsonl": "application/jsonl", ".csv": "text/csv",
    ".html": "text/html", ".md": "text/markdown", ".png": "image/png", ".txt": "text/plain",
    ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip
LEFT_OUT = ("checkpoints", "tensorboard")  # large, and made again from the same config


def export(path: Path, out: Path, licence: str = "") -> Path:
    """Write a run or a sweep, with its metadata, as one .zip file.

    Parameters
    ----------
    path : Path
        A run folder or a sweep's.
    out : Path
        The file that is made.
    licence : str
        Of the results: a URL, or a name such as "CC-BY-4.0". Without it none is claimed.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        When the folder is neither, the name is not one of a .zip, or rocrate is not installed.

    References
    ----------
    RO-Crate Metadata Specification 1.1; Process Run Crate 0.5.

    Notes
    -----
    Deviation: no author is named, since a run folder knows of none. Checkpoints are left out; the
    config makes them again.
    """
    if out.suffix.lower() != ".zip":
        raise ConfigError(f"--out: expected a name that ends in .zip; got {out.name!r}")
    found = find([path])
    if len(found.runs) + len(found.sweeps) != 1:
        raise ConfigError(f"{path}: expected the folder of one run or of one sweep")
    with installed("signfed export"):
        from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    files = {
        file: crate.add_file(
            file, file.relative_to(path).as_posix(),
            properties={"name": file.name, "encodingFormat": _kind(file)},
        )
        for file in _files(path) if file.resolve() != out.resolve()  # of an earlier call
    }  # fmt: skip
    _describe(crate, path, licence)
    if found.runs:
        crate.root_dataset["mentions"] = _add_run(crate, found.runs[0], "", files)
    else:
        for cell in found.sweeps[0].cells:
            if cell.path.exists():
                of = {f: e for f, e in files.items() if cell.path in f.parents}
                action = _add_run(crate, Run(cell.path), cell.id, of)
                crate.root_dataset.append_to("mentions", action)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        crate.write_zip(out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}") from error
    return out


def _files(path: Path) -> Iterator[Path]:
    """All that belongs in it: no checkpoints, nothing half-written."""
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path).parts
        if file.is_file() and file.suffix != ".tmp" and not set(inside) & set(LEFT_OUT):
            yield file


def _kind(file: Path) -> str:
    return KINDS.get(file.suffix, "application/octet-stream")


def _describe(crate: ROCrate, path: Path, licence: str) -> None:
    """The root: name, description, licence, the profile that it keeps to; and signfed's licence."""
    from rocrate.model.contextentity import ContextEntity

    sweep = (path / SWEEP).exists()
    crate.name = path.resolve().name
    crate.description = (
        f"{len(SweepFolder(path).cells)} runs of a sweep" if sweep else "A run"
    ) + " of Byzantine-robust federated learning, made by signfed"
    crate.datePublished = datetime.now(UTC)
    profile = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.add(ContextEntity(crate, PROFILE, profile))
    apache = {"@type": "CreativeWork", "name": "Apache License 2.0"}
    crate.add(ContextEntity(crate, APACHE, apache))
    crate.root_dataset["conformsTo"] = {"@id": PROFILE}
    if licence.startswith(("http://", "https://")):
        if licence != APACHE:
            crate.add(ContextEntity(crate, licence, {"@type": "CreativeWork", "name": licence}))
        crate.root_dataset["license"] = {"@id": licence}
    elif licence:
        crate.root_dataset["license"] = licence


def _software(crate: ROCrate, found: Mapping[str, str]) -> list[Any]:
    """One entity for each package and version that ran, signfed first."""
    from rocrate.model.contextentity import ContextEntity

    entities = []
    for name in sorted(found, key=lambda name: name != "signfed"):
        about: dict[str, Any] = {"@type": "SoftwareApplication", "name": name}
        about["softwareVersion"] = found[name]
        if name == "signfed":
            about["license"] = {"@id": APACHE}
        entities.append(crate.add(ContextEntity(crate, f"#{name}-{found[name]}", about)))
    return entities


def _values(crate: ROCrate, kind: str, values: Mapping[str, Any]) -> list[Any]:
    """One entity for each name and value; runs that share it refer to the same one."""
    from rocrate.model.contextentity import ContextEntity

    return [
        crate.add(
            ContextEntity(
                crate, f"#{kind}/{quote(f'{name}={value}')}",
                {"@type": "PropertyValue", "name": name, "value": value},
            )
        )
        for name, value in as_json(values).items()
    ]  # fmt: skip


def _add_run(crate: ROCrate, run: Run, prefix: str, files: Mapping[Path, Any]) -> Any:
    """One action: these parameters and this software made these files."""
    from rocrate.model.contextentity import ContextEntity

    software = _software(crate, run.described.get("versions") or versions())
    config = {key: value for key, value in run.config.items() if key not in PLACES}
    numbers = {k: v for k, v in run.summary.items() if isinstance(v, int | float | str)}
    done = run.status in ENDED
    failed = run.status in (FAILED, INTERRUPTED)
    status = "Completed" if done else "Failed" if failed else "Active"
    action = {
        "@type": "CreateAction",
        "name": f"signfed run: {prefix or run.path.resolve().name}",
        "description": f"{len(run.rounds)} rounds of federated learning, {run.status}",
        "actionStatus": f"http://schema.org/{status}ActionStatus",
    }
    if done or failed:
        ended = datetime.fromtimestamp((run.path / "summary.json").stat().st_mtime, UTC)
        action["endTime"] = ended.isoformat(timespec="seconds")
    if "error" in run.summary:
        action["error"] = str(run.summary["error"])
    entity = crate.add(ContextEntity(crate, f"#{prefix}/run", action))
    entity["instrument"] = software[0]
    entity["softwareRequirements"] = software[1:]
    entity["object"] = _values(crate, "parameter", config)
    entity["result"] = [*files.values(), *_values(crate, "result", numbers)]
    return entity
