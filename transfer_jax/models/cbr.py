"""The CBR family: convolution, batch norm, ReLU, max pool, four or five times; then a head.

The paper's appendix was not available; layers follow its quotations in third-party code, which
leave two points open. The padding is k // 2 for convolutions and 1 for pools here. The text quoted
for CBR-Tiny says 64 to 512 channels, while Table 1's count of 1,076,480 parameters needs 32 to 256.
The count is the harder fact, so 32 to 256 is the default, and `widths=(64, 128, 256, 512)` gives
the other reading.

Source: Raghu et al. 2019, section 3.1 and Table 1.
"""

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.models.layers import Conv
from transfer_jax.models.network import Network, NetworkSpec, Outputs, Widths
from transfer_jax.models.pooling import max_pool


class CBR(Network, kw_only=True):
    """A CBR network; stage `conv<i>` is the output of block i, after its pool.

    Attributes:
      widths: Number of channels per block.
      kernel: Side of every convolution kernel, pixels.
      pools: Number of blocks, from the first, that end in a max pool.
    """

    widths: tuple[int, ...]
    kernel: int
    pools: int = 4

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        stages: OrderedDict[str, Array] = OrderedDict()  # jit would sort the keys of a plain dict
        x = images
        for i, width in enumerate(self.widths, start=1):
            x = Conv(width, self.kernel, name=f"conv{i}")(x)
            x = nn.relu(self.norm(name=f"bn{i}")(x, self.trains(f"conv{i}", train)))
            if i <= self.pools:
                x = max_pool(x)
            stages[f"conv{i}"] = x
        return self.head(x, train), stages


def _build(*, layout: str, widths: Widths, kernel: int, **common: Any) -> CBR:
    del layout  # the paper's is the only one, and is called "torchvision" in files
    return CBR(widths=widths, kernel=kernel, **common)


def _spec(kernel: int, widths: Widths) -> NetworkSpec:
    return NetworkSpec(
        build=functools.partial(_build, kernel=kernel),
        stages={f"conv{i}": (f"conv{i}", f"bn{i}") for i in range(1, len(widths) + 1)},
        family="cbr",
        widths=widths,
    )


SPECS: Mapping[str, NetworkSpec] = {
    "cbr_larget": _spec(7, (32, 64, 128, 256, 512)),  # no pool after the last block
    "cbr_largew": _spec(7, (64, 128, 256, 512)),
    "cbr_small": _spec(7, (32, 64, 128, 256)),
    "cbr_tiny": _spec(5, (32, 64, 128, 256)),
}
