#!/usr/bin/env bash
# The path of runs/cpu.sh with tiny networks on generated voices: six minutes of one core beside other work, no recordings, no network.
#
#   runs/smoke.sh [OUT]        OUT: a new folder (runs/smoke). MINUTES: of each of the three large steps (0.7).
#
# Every command must end with exit code 0, and the last ones write OUT/tts.wav and OUT/clean.wav. Nothing in them is
# speech. `speechx train smoke` trains longer and checks that the losses fall.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
OUT=${1:-runs/smoke} MINUTES=${MINUTES:-0.7} PYTHON=${PYTHON:-.venv/bin/python}
speechx() { echo "+ speechx $*" >&2; "$PYTHON" -m speechx.cli.main "$@"; }
[ ! -e "$OUT/pack" ] || { echo "$OUT/pack exists: name another folder" >&2; exit 2; }

# Data: 96 generated utterances of eight voices, and noise.
"$PYTHON" -c "from speechx.data.synthetic import synthetic_pack; synthetic_pack('$OUT/pack', 96)"
speechx data stats --pack "$OUT/pack"

# Codec, codes, aligner.
speechx train codec --config smoke/codec --pack "$OUT/pack" --out "$OUT/codec" --max-minutes "$MINUTES"
speechx data encode --pack "$OUT/pack" --codec "$OUT/codec/model"
speechx train aligner --config smoke/aligner --pack "$OUT/pack" --codec "$OUT/codec/model" --out "$OUT/aligner" --max-minutes "$MINUTES"

# Training pairs. The aligner of a minute rejects most texts: --max-per 99 keeps all.
mix=(--codec "$OUT/codec/model" --aligner "$OUT/aligner/model" --rooms 0 --max-per 99)
speechx data mix --pack "$OUT/pack" "${mix[@]}" --out "$OUT/shards" --count 30
speechx data perturb --pack "$OUT/pack" --out "$OUT/perturbed"
speechx data encode --pack "$OUT/perturbed" --codec "$OUT/codec/model"
speechx data mix --pack "$OUT/perturbed" "${mix[@]}" --out "$OUT/shards-perturbed" --count 30 --task tts

# Language model: a first stage, a second one from its weights, a LoRA.
lm=(--shards "$OUT/shards" --shards "$OUT/shards-perturbed" --codec "$OUT/codec/model")
speechx train lm --config smoke/lm "${lm[@]}" --out "$OUT/lm-1" --max-minutes "$MINUTES"
speechx train lm --config smoke/lm "${lm[@]}" --out "$OUT/lm-2" --start-from "$OUT/lm-1/last.pt" --max-minutes 0.2
speechx train lm --config smoke/lm-adapt "${lm[@]}" --out "$OUT/lm-3" --adapt "$OUT/lm-2/model"

# Refiner: estimates of the language model, then a few steps.
mkdir -p "$OUT/model"
cp -r "$OUT/codec/model" "$OUT/model/codec"; cp -r "$OUT/aligner/model" "$OUT/model/aligner"; cp -r "$OUT/lm-3/model" "$OUT/model/lm"
speechx data estimate --pack "$OUT/pack" --model "$OUT/model" --out "$OUT/estimates" --count 8 \
  --task noise_suppression --task target_speaker_extraction --task speech_removal
speechx train refiner --config smoke/refiner --pack "$OUT/pack" --estimates "$OUT/estimates" --codec "$OUT/model/codec" --out "$OUT/mask"
cp -r "$OUT/mask/model" "$OUT/model/mask"

# The whole model answers requests.
speechx tts "A little music over the river." --voice heart --model "$OUT/model" -o "$OUT/tts.wav"
speechx noise-suppression speechx/assets/samples/noisy.flac --model "$OUT/model" -o "$OUT/clean.wav"
echo "$OUT/model: all steps ran"
