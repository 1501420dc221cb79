"""Networks in which every weight is random: as built, some start at zero and hide what is behind them."""

import numpy as np
import pytest
import torch

from maprps.models import ADM


def draw_weights(shapes):
    """The same weights for the same shapes, anywhere: NumPy keeps RandomState's streams as they are."""
    random = np.random.RandomState(0)
    weights = {}
    for name in sorted(shapes):
        values = random.standard_normal(shapes[name])
        if values.ndim > 1:
            values /= np.sqrt(np.prod(shapes[name][1:]))
        else:
            values = 0.1 * values + name.endswith(".weight")
        weights[name] = torch.from_numpy(values).float()
    return weights


@pytest.fixture
def random_weights():
    """shapes by name -> weights by name."""
    return draw_weights


@pytest.fixture
def random_network():
    """ADMConfig -> ADM."""

    def build(config):
        network = ADM(config)
        network.load_state_dict(draw_weights({name: value.shape for name, value in network.state_dict().items()}))
        return network.eval().requires_grad_(False)

    return build
