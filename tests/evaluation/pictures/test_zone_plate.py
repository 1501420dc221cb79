import torch

from maprps.evaluation.pictures import seen_sheet, zone_plate


def test_frequency_grows_from_nothing_to_the_finest_there_is():
    """Along the middle row: flat in the middle, and changing sign with every pixel at the border."""
    row = zone_plate(65, 65)[0, 32, :, 0] - 0.5
    assert row[32:35].min() > 0.45
    assert (row[-4:-1].sign() != row[-3:].sign()).all()


def test_longer_side_sets_the_scale():
    assert torch.equal(zone_plate(33, 65), zone_plate(65, 65)[:, 16:49])


def test_sheet_shows_the_unseen_part_around_grey_and_says_how_strong():
    image, unseen = torch.rand(200, 200, 3), torch.zeros(200, 200, 3)
    unseen[:100] = 0.25
    unseen[100:] = -0.25
    sheet = seen_sheet(image, unseen)[0]
    strip = sheet[:, -100]  # through the third panel
    assert (strip == 1).all(-1).sum() >= 100 and (strip == 0).all(-1).sum() >= 100
