import pytest
from small_studies import tiny


@pytest.fixture(scope="session")
def tiny_study():
    return tiny
