"""Presets that the user has kept: schedules by name, in a JSON file of the host's user folder.

    {"version": 1, "presets": {"my portraits": {"schedule": "draft ~1/2 60%; refine 40%", "model": "FLUX"}}}

The file may be edited by hand. What cannot be read in it is told once and left as it is. The presets that
come with the pack are never hidden by one of the user's.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import unicodedata
import uuid
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import folder_paths

from ...fresco_core import PRESETS, Schedule, ScheduleError, parse, preset
from ...fresco_core.text import presets
from ...fresco_core.text.words import quoted_word

log = logging.getLogger(__name__)

FILE = ("default", "fresco_presets.json")  # below the host's user folder
VERSION = 1
MOST_PRESETS = 100
LARGEST_FILE = 1 << 19  # bytes
LONGEST_NAME, LONGEST_NOTE = 40, 400  # characters
TAKEN = ("from text", "from numbers", "auto", "distilled", "turbo")  # choices beside presets, former names
MARKS = ("Mn", "Mc")  # Unicode's categories of what is set on the letter before it
_NAME = re.compile(r"\w(?:[\w .+()-]*[\w.+)])?")

_lock = threading.Lock()
_read: tuple[tuple[str, int, int], dict[str, KeptPreset]] | None = None  # the file's state, and what it held


@dataclass(frozen=True)
class KeptPreset:
    """A schedule in one line, the model that it was kept for, and words about how it did there."""

    schedule: str
    model: str = ""
    note: str = ""


def preset_names() -> list[str]:
    """The names of all presets: those of the pack, then the user's."""
    return [*PRESETS, *kept_presets()]


def named_schedule(name: str) -> Schedule:
    """The schedule of a preset, the pack's or the user's. Raises ScheduleError naming them all."""
    kept, name = kept_presets(), composed(str(name))
    if name in PRESETS or name not in kept:
        if name not in PRESETS and kept:
            names = ", ".join(preset_names())
            raise ScheduleError(f"unknown preset {quoted_word(name)}; expected one of {names}")
        return preset(name)
    return parse(kept[name].schedule)


def schedule_in(text: str) -> Schedule:
    """What a line of text means: the preset of that name, else a schedule. Raises ScheduleError."""
    kept = kept_presets().get(composed(text.strip())) if isinstance(text, str) else None
    return presets.schedule_in(text) if kept is None else parse(kept.schedule)


def meanings(*lines: Any) -> str:
    """What the user's presets among some lines mean: part of a node's fingerprint, as a preset may be changed
    under its name."""
    kept = kept_presets()
    named = (composed(line.strip()) for line in lines if isinstance(line, str))
    return "; ".join(f"{name}: {kept[name].schedule}" for name in named if name in kept)


def presets_file() -> Path:
    """Where kept presets are, whether there are any or not."""
    return Path(folder_paths.get_user_directory(), *FILE)


def kept_presets() -> dict[str, KeptPreset]:
    """The user's presets that can be used, by name, in the order of the file, which is read anew when it has
    changed."""
    global _read
    path = presets_file()
    with _lock:
        try:
            found = path.stat()
        except OSError:
            return {}
        state = (str(path), found.st_mtime_ns, found.st_size)
        if _read is None or _read[0] != state:
            _read = (state, _usable(path))
        return dict(_read[1])


def keep_preset(name: str, schedule: str, model: str = "", note: str = "") -> KeptPreset:
    """Write a preset to the file, in place of one of that name. Raises ScheduleError for a name or a schedule
    that cannot be, and where the file cannot be written."""
    kept = KeptPreset(str(parse(schedule)), model[:LONGEST_NOTE], note[:LONGEST_NOTE])
    name = composed(name.strip())
    reason = unfit_name(name)
    if reason is not None:
        raise ScheduleError(reason)
    with _lock:
        entries = _entries(presets_file())
        if name not in entries and len(entries) >= MOST_PRESETS:
            raise ScheduleError(
                f"{len(entries)} presets are kept already; expected {MOST_PRESETS} at the most: forget one"
            )
        _write({**entries, name: asdict(kept)})
    return kept


def forget_preset(name: str) -> None:
    """Take a preset out of the file. Raises ScheduleError where there is none of that name."""
    with _lock:
        entries = _entries(presets_file())
        if entries.pop(composed(name), None) is None:
            raise ScheduleError(f"no preset is kept as {quoted_word(name)}")
        _write(entries)


def composed(name: str) -> str:
    """A name as it is kept: a letter and its marks are one character where there is one (NFC)."""
    return unicodedata.normalize("NFC", name)


def unfit_name(name: Any) -> str | None:
    """Why something cannot be the name of a preset; None where it can."""
    if not isinstance(name, str) or not _NAME.fullmatch(_unmarked(name)) or len(name) > LONGEST_NAME:
        return (
            f"found the name {quoted_word(name)}; expected 1 to {LONGEST_NAME} letters, digits, spaces "
            "and any of . + - _ ( )"
        )
    if name.lower() in {taken.lower() for taken in (*PRESETS, *TAKEN)}:
        return f"the name {quoted_word(name)} is taken: choose another"
    try:
        parse(name)
    except ScheduleError:
        return None
    return f"the name {quoted_word(name)} is a schedule itself: choose another"


def _unmarked(name: str) -> str:
    """A name without the marks on its letters, which are no part of words to `re`."""
    return name[:1] + "".join(c for c in name[1:] if unicodedata.category(c) not in MARKS)


def _entries(path: Path) -> dict[str, Any]:
    """All entries of the file, good or bad, by their composed names. Raises ScheduleError for a file that is
    broken."""
    if not path.exists():
        return {}
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"it is larger than {LARGEST_FILE} bytes")
        held = json.loads(path.read_text("utf-8-sig"))
        entries = held["presets"] if isinstance(held, dict) and held.get("version") == VERSION else None
        if not isinstance(entries, dict):
            raise ValueError(f'expected {{"version": {VERSION}, "presets": {{...}}}}')
    except (OSError, ValueError, KeyError, RecursionError) as error:
        raise ScheduleError(
            f"kept presets cannot be read from {path}: {error}. Mend the file, or move it away"
        ) from error
    return {composed(name): entry for name, entry in entries.items()}


def _usable(path: Path) -> dict[str, KeptPreset]:
    """The entries that are presets; each other one is told."""
    try:
        entries = _entries(path)
    except ScheduleError as error:
        log.warning("Fresco: %s", error)
        return {}
    found: dict[str, KeptPreset] = {}
    for name, entry in entries.items():
        reason = unfit_name(name) or _unfit_entry(entry)
        if reason is None and len(found) >= MOST_PRESETS:
            reason = f"{MOST_PRESETS} are read at the most"
        if reason is None:
            found[name] = KeptPreset(**{k: entry[k] for k in ("schedule", "model", "note") if k in entry})
        else:
            log.warning("Fresco ignores the kept preset %s in %s: %s", quoted_word(name), path, reason)
    return found


def _unfit_entry(entry: Any) -> str | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("schedule"), str):
        return 'expected {"schedule": "...", "model": "...", "note": "..."}'
    if not all(isinstance(entry.get(key, ""), str) for key in ("model", "note")):
        return "model and note are texts"
    try:
        parse(entry["schedule"])
    except ScheduleError as error:
        return str(error)
    return None


def _write(entries: dict[str, Any]) -> None:
    """Put entries into the file, whole or not at all."""
    path = presets_file()
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    text = json.dumps({"version": VERSION, "presets": entries}, indent=2, ensure_ascii=False)
    content = f"{text}\n".encode("utf-8", "replace")  # halves of surrogate pairs are no text
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        os.replace(beside, path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise ScheduleError(f"presets cannot be kept in {path}: {error}") from error
