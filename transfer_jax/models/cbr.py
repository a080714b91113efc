"""The CBR family: convolution, batch norm, ReLU, max pool, four or five times; then a head.

The paper's appendix was not at hand; layers follow its quotations in third-party code. Two points are open there and chosen
here: the padding (k // 2 for convolutions, 1 for pools), and the widths of CBR-Tiny. The text quoted for Tiny says 64 to 512
channels, Table 1's count of 1,076,480 parameters needs 32 to 256; the count is the harder fact, so 32 to 256 is the default and
`widths=(64, 128, 256, 512)` gives the other.

Source: Raghu et al. 2019, section 3.1 and Table 1.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.models.layers import Conv
from transfer_jax.models.network import Network, Outputs, choose_widths
from transfer_jax.models.pooling import max_pool


class CBR(Network, kw_only=True):
    """A CBR network; stage `conv<i>` is the block's output, after its pool.

    Attributes:
      widths: channels of each block.
      kernel: side of every convolution kernel, pixels.
      pools: how many blocks, from the first, end in a max pool.
    """

    widths: tuple[int, ...]
    kernel: int
    pools: int = 4

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> Outputs:
        stages: OrderedDict[str, Array] = OrderedDict()  # a plain dict would lose its order under jit
        x = images
        for i, width in enumerate(self.widths, start=1):
            x = Conv(width, self.kernel, name=f"conv{i}")(x)
            x = nn.relu(self.norm(name=f"bn{i}")(x, self.trains(f"conv{i}", train)))
            if i <= self.pools:
                x = max_pool(x)
            stages[f"conv{i}"] = x
        return self.head(x, train), stages


class _Form(NamedTuple):
    kernel: int
    widths: tuple[int, ...]


_FORMS: Mapping[str, _Form] = {
    "cbr_larget": _Form(7, (32, 64, 128, 256, 512)),  # no pool after the last
    "cbr_largew": _Form(7, (64, 128, 256, 512)),
    "cbr_small": _Form(7, (32, 64, 128, 256)),
    "cbr_tiny": _Form(5, (32, 64, 128, 256)),
}


def build(name: str, layout: str, widths: tuple[int, ...] | None, **common: Any) -> CBR:
    """The CBR network `name`; its one layout is the paper's, kept under the name "torchvision" in files."""
    del layout
    form = _FORMS[name]
    return CBR(widths=choose_widths(name, widths, form.widths), kernel=form.kernel, **common)
