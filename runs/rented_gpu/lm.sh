#!/usr/bin/env bash
# Trains the language model on a GPU machine that is rented by the hour and reaches no network.
#
# At home:   speechx data mix ... --out shards/a (several seeds; files of at most 16 MiB); runs/rented_gpu/wheels.sh wheels
# There:     bring the repository, wheels/, the codec's folder and shards/ (any subfolders, in as many loads as it takes)
#   MINUTES=9 TOTAL=24 runs/rented_gpu/lm.sh train        repeat: each call goes on where the last one stopped
#   runs/rented_gpu/lm.sh collect              results/: slim checkpoint in chunks of at most 15 MiB, log.csv
# At home:   speechx data join results/slim.pt.chunks.json --out .; speechx train export slim.pt --out MODEL
#
#   MINUTES  of this call                    TOTAL  minutes over which the learning rate falls, all calls together
#   START    a checkpoint to start from      SHARDS, DEV, CODEC, RUN, RESULTS, CONFIG  places (DEV: shards of the dev split)
source "$(dirname "$0")/env.sh"
: "${SHARDS:=shards}" "${DEV:=}" "${CODEC:=codec}" "${RUN:=/tmp/speechx-lm}" "${RESULTS:=results}"
: "${CONFIG:=configs/lm/gpu.yaml}" "${MINUTES:=9}" "${TOTAL:=24}" "${START:=}"

case "${1:-}" in
train)
  folders=()
  while read -r folder; do folders+=(--shards "$folder"); done < <(
    find "$SHARDS" -name '*.safetensors' -printf '%h\n' | sort -u)
  "$PYTHON" -m speechx.cli.train lm --config "$CONFIG" "${folders[@]}" --codec "$CODEC" --out "$RUN" \
    --device "$DEVICE" --resume --max-minutes "$MINUTES" --anneal-minutes "$TOTAL" ${DEV:+--dev "$DEV"} \
    ${START:+--start-from "$START"} ;;
collect) collect "$RUN" "$RESULTS" ;;
*) sed -n '2,/^source/{/^source/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
