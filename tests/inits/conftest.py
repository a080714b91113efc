import jax
import pytest
import small_networks as networks


@pytest.fixture(scope="package", autouse=True)
def quick_to_compile():
    """Compiling takes far longer than running here."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(scope="session", params=networks.NETWORKS)
def pair(request):
    """A member's own variables and a source's, with heads of different sizes."""
    return networks.filled(seed=0, **networks.NETWORKS[request.param]), networks.filled(
        seed=1, outputs=7, **networks.NETWORKS[request.param]
    )


@pytest.fixture(scope="session")
def cbr():
    return tuple(
        networks.filled(seed=seed, outputs=outputs, **networks.NETWORKS["cbr_tiny"])
        for seed, outputs in ((0, 2), (1, 7))
    )
