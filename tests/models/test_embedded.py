import torch

from maprps.models import EDM, load_embedded, load_pixel_network
from maprps.models.embedded import CONFIG, PATH, save_embedded


def test_saved_and_loaded(random_network, tmp_path):
    """fp16 in the file, float32 in memory; the header brings back what shapes cannot tell."""
    network = random_network(CONFIG)
    path = tmp_path / "prior.safetensors"
    save_embedded(network, path, images=1)
    loaded = load_pixel_network(path)
    assert loaded.config == CONFIG
    assert loaded.preconditioning == EDM(sigma_data=0.5)
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name].half().float())


def test_the_shipped_file():
    assert PATH.stat().st_size <= 16 * 2**20
    assert load_embedded().config == CONFIG


def test_the_shipped_prior_denoises():
    """A disc on a gradient under noise of std 25/255: nine tenths of the squared error go."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing="ij")
    disc = (rows**2 + columns**2 < 0.4).float()
    clean = torch.stack([0.5 * rows + 0.3 * disc, 0.6 * disc - 0.3, 0.4 * columns - 0.5 * disc])[None]
    sigma = 2 * 25 / 255
    noisy = clean + sigma * torch.randn_like(clean)
    with torch.no_grad():
        denoised = load_embedded()(noisy, torch.tensor([sigma]))
    assert (denoised - clean).square().mean() < 0.1 * sigma**2
