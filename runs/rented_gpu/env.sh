# Sourced by codec.sh and lm.sh: what runs Python on a GPU machine without a network.
#   PYTHON  the Python with torch (python3)       WHEELS  wheels brought along (wheels/, made by wheels.sh)
#   DEVICE  cuda | cpu                            SITE    where they are installed (/tmp/speechx-site)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${PYTHON:=python3}" "${WHEELS:=wheels}" "${DEVICE:=cuda}" "${SITE:=/tmp/speechx-site}"
export PYTHONPATH="$PWD:$SITE${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

if ! "$PYTHON" -c "import numpy, pydantic, safetensors, soundfile, soxr, typer, yaml" 2>/dev/null; then
  compgen -G "$WHEELS/*.whl" >/dev/null || { echo "no wheels in $WHEELS: run runs/rented_gpu/wheels.sh first" >&2; exit 2; }
  "$PYTHON" -m pip install -q --no-index --no-deps --no-compile --upgrade --target "$SITE" "$WHEELS"/*.whl
fi
if [ "$DEVICE" = cuda ]; then
  "$PYTHON" -c "import torch; print(torch.__version__, torch.cuda.get_device_name(), flush=True)"
fi

# collect RUN RESULTS: the slim checkpoint in chunks of at most 15 MiB, and the log
collect() {
  mkdir -p "$2"
  "$PYTHON" -m speechx.cli.train slim "$1/last.pt" --out "$1/slim.pt"
  "$PYTHON" -m speechx.cli.data split "$1/slim.pt" --out "$2" --max-mib 15
  cp "$1/log.csv" "$2/"
}
