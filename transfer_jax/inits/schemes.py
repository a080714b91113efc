"""Random initialisation: as the network draws itself, or by a named scheme of other libraries."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import jax
from jax.nn import initializers

from transfer_jax.inits import redrawing
from transfer_jax.inits.signatures import Words, check_words

# The normal ones are cut off at two standard deviations and stretched to keep their variance, in
# JAX as in Keras.
SCHEMES: Mapping[str, Callable[[], Any]] = {
    "he_normal": initializers.he_normal,
    "he_uniform": initializers.he_uniform,
    "glorot_normal": initializers.glorot_normal,
    "glorot_uniform": initializers.glorot_uniform,
    "lecun_normal": initializers.lecun_normal,
    # TensorFlow's default: tf.get_variable, tf.keras.layers.Conv2D and
    # slim.conv2d (there called Xavier) alike.
    "tf_default": initializers.glorot_uniform,
}
Scheme = Annotated[str, Words(tuple(SCHEMES))]


@check_words
def random(
    key: jax.Array, variables: Any, source: Any = None, *, scheme: Scheme | None = None
) -> Any:
    """Returns `variables`, with every convolution kernel [kh, kw, c, d] drawn by a scheme, if any.

    Fans are counted over the whole kernel: fan_in = kh * kw * c, fan_out = kh * kw * d. Variances
    are 2 / fan_in (He), 2 / (fan_in + fan_out) (Glorot) and 1 / fan_in (LeCun); "normal" is a
    normal distribution cut off at two standard deviations and stretched to this variance.
    "tf_default" is Glorot's uniform distribution, the default of TensorFlow's layers. TF-slim's
    ResNets use He's instead (`variance_scaling_initializer()`: factor 2, fan_in, cut off at two
    standard deviations): that is "he_normal" here, except for TF-slim's factor of 1.3 where 1.2926
    would keep the variance exactly.

    Without a scheme nothing changes: kernels are as `models.create` draws them, from He's normal
    distribution counted over fan_out and not cut off, as in torchvision. Biases, batch norms and
    the head stay as they are.

    Args:
      key: Typed PRNG key; each kernel has a stream of its own.
      variables: Freshly drawn variables.
      source: Not read.
      scheme: None, or a key of `SCHEMES`.

    Raises:
      ConfigError: An unknown scheme.

    Source: He et al. 2015; Glorot and Bengio 2010; LeCun et al. 1998.
    """
    del source
    if scheme is None:
        return variables
    initialise = SCHEMES[scheme]()

    def draw(key: jax.Array, old: jax.Array, wide: jax.Array) -> jax.Array:
        return initialise(key, old.shape, wide.dtype) if old.ndim == 4 else old

    return redrawing.convolutions(key, variables, variables, draw)
