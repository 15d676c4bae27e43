"""A small pack of made-up voices, once for all tests of the data side."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechx.data.packs import AudioPack
from speechx.data.synthetic import synthetic_pack


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_pack(tmp_path_factory.mktemp("pack"), utterances=24, speakers=4, noises=8, words=5)


@pytest.fixture
def pack(pack_folder: Path) -> AudioPack:
    return AudioPack(pack_folder)
