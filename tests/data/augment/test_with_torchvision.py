"""Colours and resized crops against the real torchvision."""

import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torchvision_here

from transfer_jax.data.augment import colour, resized

torchvision_here.networks()
from torchvision.transforms.v2 import functional  # noqa: E402

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 20, 14, 3), np.uint8)
FACTORS = [0.0, 0.5, 0.9, 1.0, 1.3, 3.0]
TURNS = [-0.5, -0.2, 0.0, 0.01, 0.3, 0.5]
PARTS = [("brightness", FACTORS), ("contrast", FACTORS), ("saturation", FACTORS), ("hue", TURNS)]


def each(function, arguments, images):
    """torchvision's function of every image with its own argument."""
    done = [
        function(torch.from_numpy(x.transpose(2, 0, 1)), *a)
        for x, a in zip(images, arguments, strict=True)
    ]
    return np.stack([np.asarray(x).transpose(1, 2, 0) for x in done])


@pytest.mark.parametrize(("part", "factors"), PARTS)
def test_colours_are_those_of_torchvision(part, factors):
    theirs = getattr(functional, f"adjust_{part}")
    ours = np.asarray(
        getattr(colour, f"adjust_{part}")(jnp.asarray(IMAGES, jnp.float32), jnp.asarray(factors))
    )
    arguments = [(f,) for f in factors]
    np.testing.assert_allclose(
        ours / 255, each(theirs, arguments, IMAGES.astype(np.float32) / 255), atol=5e-5
    )
    whole = each(theirs, arguments, IMAGES).astype(
        float
    )  # cut down, not rounded; so are the grey values that are blended with
    blended = np.abs(1 - np.asarray(factors)) if part in ("contrast", "saturation") else np.zeros(6)
    assert (np.abs(ours - whole) <= 1.01 + blended[:, None, None, None]).all()


@pytest.mark.parametrize("part", ["brightness", "contrast"])
def test_grey_images_too(part):
    grey = IMAGES[..., :1]
    ours = np.asarray(
        getattr(colour, f"adjust_{part}")(jnp.asarray(grey, jnp.float32), jnp.asarray(FACTORS))
    )
    np.testing.assert_allclose(
        ours / 255,
        each(
            getattr(functional, f"adjust_{part}"),
            [(f,) for f in FACTORS],
            grey.astype(np.float32) / 255,
        ),
        atol=5e-5,
    )


def test_resized_crops_are_those_of_torchvision():
    boxes = [
        (0, 0, 20, 14),
        (3, 2, 7, 9),
        (19, 13, 1, 1),
        (0, 0, 10, 7),
        (5, 0, 15, 3),
        (1, 1, 18, 12),
    ]
    ours = resized.resize_boxes(
        jnp.asarray(IMAGES), resized.Boxes(*jnp.asarray(boxes, jnp.float32).T)
    )
    theirs = each(
        functional.resized_crop, [(*box, [20, 14]) for box in boxes], IMAGES.astype(np.float32)
    )
    np.testing.assert_allclose(np.asarray(ours).astype(float), theirs, atol=0.5 + 0.01)
