"""A table of a folder's restored photos, for a spreadsheet."""

import csv
import io
import re
from pathlib import Path

from . import record
from .folder import Photo

_RESIDUAL = re.compile(r"\bresidual ([\d.]+) of the noise")
_COLUMNS = ("file", "result", "psnr_db", "residual_over_noise", "seconds", "settings", "error")


def summary(photos: list[Photo], out: Path, psnr: dict[str, float], errors: dict[str, str]) -> str:
    """CSV: a line for each photo that has a result, and for each that failed.

    psnr: photo's name -> dB to its reference; errors: photo's name -> what went wrong. All else is read from the
    results, so that those of earlier runs count too.
    """
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS)
    table.writeheader()
    for photo in photos:
        error = errors.get(photo.name, "")
        line: dict[str, object] = {"file": photo.name, "error": error}
        made = record.read(photo.result) if photo.result.is_file() else None
        if made:
            residual = _RESIDUAL.search(made.report)
            line |= {
                "result": photo.result.relative_to(out).as_posix(),
                "psnr_db": f"{psnr[photo.name]:.2f}" if photo.name in psnr else "",
                "residual_over_noise": residual[1] if residual else "",
                "seconds": f"{made.seconds:.1f}",
                "settings": made.settings,
            }
        if made or error:
            table.writerow(line)
    return text.getvalue()
