import jax.numpy as jnp
import numpy as np
import pytest

from transfer_jax.losses import classification

LOGITS = np.array([[0.3, -1.2, 2.0], [-0.5, 0.1, 0.0]], np.float32)


@pytest.mark.parametrize("kind", ["binary", "multilabel"])
def test_sigmoid_losses_are_cross_entropies(kind):
    logits = LOGITS[:, :1] if kind == "binary" else LOGITS
    targets = np.array([[1, 0, 1], [0, 1, 0]], np.float32)[:, : logits.shape[1]]
    p = 1 / (1 + np.exp(-logits))
    wanted = -targets * np.log(p) - (1 - targets) * np.log(1 - p)
    np.testing.assert_allclose(classification.per_output(kind, jnp.asarray(logits), jnp.asarray(targets)), wanted, rtol=1e-5)
    np.testing.assert_allclose(classification.scores(kind, jnp.asarray(logits)), p, rtol=1e-6)
    np.testing.assert_array_equal(classification.correct(kind, jnp.asarray(logits), jnp.asarray(targets)), (p > 0.5) == targets)


def test_softmax_loss():
    targets = np.array([[2], [1]], np.float32)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    np.testing.assert_allclose(
        classification.per_output("multiclass", jnp.asarray(LOGITS), jnp.asarray(targets))[:, 0], -np.log(p[[0, 1], [2, 1]]), rtol=1e-5
    )
    np.testing.assert_allclose(classification.scores("multiclass", jnp.asarray(LOGITS)), p, rtol=1e-6)
    np.testing.assert_array_equal(classification.correct("multiclass", jnp.asarray(LOGITS), jnp.asarray(targets)), [[1], [1]])


def test_a_label_may_have_a_class_for_uncertain():
    # Label 0: one output; label 1: negative, positive, uncertain (U-MultiClass of Irvin et al. 2019, section 4).
    widths = (1, 3)
    logits = np.array([[0.3, -1.2, 2.0, 0.4], [-0.5, 0.1, 0.0, 3.0], [1.5, 0.2, 0.1, -2.0]], np.float32)
    targets = np.array([[1, 1], [0, 2], [1, 0]], np.float32)
    p = np.exp(logits[:, 1:]) / np.exp(logits[:, 1:]).sum(1, keepdims=True)
    one = 1 / (1 + np.exp(-logits[:, 0]))
    loss = classification.per_output("multilabel", jnp.asarray(logits), jnp.asarray(targets), widths)
    np.testing.assert_allclose(loss[:, 1], -np.log(p[np.arange(3), [1, 2, 0]]), rtol=1e-5)
    np.testing.assert_allclose(loss[:, 0], -np.log(np.where(targets[:, 0] == 1, one, 1 - one)), rtol=1e-5)
    scores = classification.scores("multilabel", jnp.asarray(logits), widths)
    np.testing.assert_allclose(scores[:, 1], p[:, 1] / (p[:, 0] + p[:, 1]), rtol=1e-5)
    np.testing.assert_allclose(scores[:, 0], one, rtol=1e-6)
    np.testing.assert_array_equal(classification.correct("multilabel", jnp.asarray(logits), jnp.asarray(targets), widths), [[1, 1], [1, 1], [1, 1]])
