"""The CBR family: convolution, batch norm, ReLU, max pool, four or five times; then a linear head.

The paper's appendix was not at hand; layers follow its quotations in third-party code. Two points are open there and chosen
here: the padding (k // 2 for convolutions, 1 for pools), and the widths of CBR-Tiny. The text quoted for Tiny says 64 to 512
channels, Table 1's count of 1,076,480 parameters needs 32 to 256; the count is the harder fact, so 32 to 256 is used.

Source: Raghu et al. 2019, section 3.1 and Table 1.
"""

from collections import OrderedDict

from flax import linen as nn
from jaxtyping import Array, Float

from transfer_jax.models.layers import BatchNorm, Conv, Head
from transfer_jax.models.pooling import max_pool


class CBR(nn.Module):
    """A CBR network; stage `conv<i>` is the block's output, after its pool.

    Attributes:
      widths: channels of each block.
      kernel: side of every convolution kernel, pixels.
      pools: how many blocks, from the first, end in a max pool.
    """

    num_outputs: int
    widths: tuple[int, ...]
    kernel: int
    pools: int = 4

    @nn.compact
    def __call__(self, images: Float[Array, "b h w c"], train: bool) -> tuple[Float[Array, "b k"], dict[str, Array]]:
        stages: OrderedDict[str, Array] = OrderedDict()  # a plain dict would lose its order under jit
        x = images
        for i, width in enumerate(self.widths, start=1):
            x = Conv(width, self.kernel, name=f"conv{i}")(x)
            x = nn.relu(BatchNorm(name=f"bn{i}")(x, train))
            if i <= self.pools:
                x = max_pool(x)
            stages[f"conv{i}"] = x
        return Head(self.num_outputs, name="head")(x), stages


def cbr_larget(num_outputs: int) -> CBR:
    """CBR-LargeT(all): five 7x7 blocks, 32 to 512 channels, no pool after the last."""
    return CBR(num_outputs, (32, 64, 128, 256, 512), 7)


def cbr_largew(num_outputs: int) -> CBR:
    """CBR-LargeW(ide): four 7x7 blocks, 64 to 512 channels."""
    return CBR(num_outputs, (64, 128, 256, 512), 7)


def cbr_small(num_outputs: int) -> CBR:
    """CBR-Small: four 7x7 blocks, 32 to 256 channels."""
    return CBR(num_outputs, (32, 64, 128, 256), 7)


def cbr_tiny(num_outputs: int) -> CBR:
    """CBR-Tiny: four 5x5 blocks, 32 to 256 channels."""
    return CBR(num_outputs, (32, 64, 128, 256), 5)
