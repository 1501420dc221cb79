import pytest
from labs.bkse import small_network


@pytest.fixture
def small_bkse(monkeypatch):
    """BKSE finds a small random network in its checkpoint, whatever the checkpoint's name."""
    weights = small_network()
    monkeypatch.setattr("maprps.models.bkse.read_weights", lambda path: (weights, {}))
