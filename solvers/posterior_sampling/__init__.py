"""Stage 2: re-noise the estimate and sample the posterior from there."""

from .ancestral import ancestral
from .dpm_solver import dpm_solver
from .sampling import renoised_posterior_sampling

__all__ = ["ancestral", "dpm_solver", "renoised_posterior_sampling"]
