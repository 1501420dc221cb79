"""Stage 2: re-noise the estimate and sample the posterior from there."""

from .ancestral import ancestral
from .dpm_solver import dpm_solver
from .sampling import Sampler, renoised_posterior_sampling
from .stochastic_adams import stochastic_adams

__all__ = ["Sampler", "ancestral", "dpm_solver", "renoised_posterior_sampling", "stochastic_adams"]
