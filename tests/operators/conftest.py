import pytest
from labs.bkse import small_network


@pytest.fixture
def small_bkse(monkeypatch):
    """BKSE finds a small random network in its checkpoint, whatever the checkpoint's name."""
    weights = {name: value for name, value in small_network().items() if not name.startswith("kernel_extractor")}
    monkeypatch.setattr("maprps.operators.bkse.read_generator_weights", lambda path: weights)
