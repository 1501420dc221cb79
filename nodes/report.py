"""Sentences about a result."""

from __future__ import annotations

from ..solvers.map_estimation import Estimate


def describe_estimate(estimate: Estimate) -> str:
    """Calls, residual and change of a MAP estimate, worst image of the batch."""
    return (
        f"{estimate.calls} model calls, residual {float(estimate.residual.max()):.2f} of the noise, "
        f"last change {float(estimate.change.max()):.1e}"
    )
