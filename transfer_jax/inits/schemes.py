"""From scratch: as the network draws itself, or by one of the schemes that libraries have by name."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
from jax.nn import initializers

from transfer_jax.inits import choices, layers

# The normal ones are cut off at two standard deviations and stretched to keep their variance, in JAX as in Keras.
SCHEMES: Mapping[str, Callable[[], Any]] = {
    "he_normal": initializers.he_normal,
    "he_uniform": initializers.he_uniform,
    "glorot_normal": initializers.glorot_normal,
    "glorot_uniform": initializers.glorot_uniform,
    "lecun_normal": initializers.lecun_normal,
    # What TensorFlow does where nothing is said: tf.get_variable, tf.keras.layers.Conv2D and slim.conv2d (there called Xavier) alike.
    "tf_default": initializers.glorot_uniform,
}


def random(key: jax.Array, variables: Any, source: Any = None, *, scheme: str | None = None) -> Any:
    """The member's own variables; with a scheme, every convolution kernel [kh, kw, c, d] drawn anew by it.

    Fans are counted over the whole kernel: fan_in = kh * kw * c, fan_out = kh * kw * d. Variances: He 2 / fan_in, Glorot
    2 / (fan_in + fan_out), LeCun 1 / fan_in; "normal" is a normal distribution cut off at two standard deviations and stretched to this
    variance. "tf_default" is Glorot's uniform distribution, the default of TensorFlow's layers. TF-slim's ResNets ask for He's instead
    (`variance_scaling_initializer()`: factor 2, fan_in, cut off at two standard deviations): that is "he_normal" here, but for TF-slim's
    factor of 1.3 where 1.2926 would keep the variance exactly.

    Without a scheme nothing changes: kernels are as `models.create` draws them, He's normal distribution counted over fan_out and not
    cut off, as in torchvision. Biases, batch norms and the head stay as they are.

    Args:
      key: typed PRNG key; each kernel has a stream of its own.
      variables: freshly drawn.
      source: not read.
      scheme: None, or a key of `SCHEMES`.

    Raises:
      ConfigError: an unknown scheme.

    Source: He et al. 2015; Glorot and Bengio 2010; LeCun et al. 1998.
    """
    del source
    if scheme is None:
        return variables
    choices.check("scheme", scheme, SCHEMES)
    initialise = SCHEMES[scheme]()

    def draw(key: jax.Array, own: jax.Array, theirs: jax.Array) -> jax.Array:
        return initialise(key, own.shape, theirs.dtype) if own.ndim == 4 else own

    return layers.convolutions(key, variables, variables, draw)
