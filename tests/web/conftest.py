"""A headless Chromium for the tests, which `make test-web` runs."""

import shutil

import chromium
import pytest

MISSING = "These tests need Chromium and ChromeDriver: apt-get install {}"


@pytest.fixture(scope="session", autouse=True)
def _needed():
    if not (chromium.browser() and shutil.which("chromedriver")):
        pytest.fail(MISSING.format("chromium chromium-driver"), pytrace=False)


@pytest.fixture(scope="module")
def desktop(tmp_path_factory):
    with chromium.Chromium(tmp_path_factory.mktemp("desktop")) as browser:
        yield browser


@pytest.fixture
def telephone(tmp_path):
    with chromium.Chromium(tmp_path, size=(390, 844), touch=True) as browser:
        yield browser
