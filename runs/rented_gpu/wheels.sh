#!/usr/bin/env bash
# Where there is a network: the wheels that a GPU machine with Python 3.12 and torch still lacks, about 5 MB.
#   runs/rented_gpu/wheels.sh [FOLDER] [PYTHON_VERSION]
set -euo pipefail
folder=${1:-wheels} version=${2:-3.12}
fetch=(python3 -m pip download -q --only-binary=:all: --python-version "$version" --implementation cp
  --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64
  --platform manylinux1_x86_64 -d "$folder")
"${fetch[@]}" "pydantic>=2.10,<3"
"${fetch[@]}" --no-deps soundfile cffi pycparser soxr
ls -l "$folder"
