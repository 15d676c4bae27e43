#!/usr/bin/env bash
# Trains the codec on a GPU machine that is rented by the hour and reaches no network.
#
# At home:   speechx data split PACK --out parts --max-mib 60; runs/rented_gpu/wheels.sh wheels
# There:     bring the repository, wheels/ and parts/ (any subfolders, in as many loads as it takes), then
#   runs/rented_gpu/codec.sh join              parts -> pack, a minute on 16 cores
#   MINUTES=9 TOTAL=24 runs/rented_gpu/codec.sh train     repeat: each call goes on where the last one stopped
#   runs/rented_gpu/codec.sh collect           results/: slim checkpoint in chunks of at most 15 MiB, log.csv
# At home:   speechx data join results/slim.pt.chunks.json --out .; speechx train export slim.pt --out MODEL
#
#   MINUTES  of this call                    TOTAL  minutes over which the learning rate falls, all calls together
#   START    a checkpoint to start from      PARTS, PACK, RUN, RESULTS, CONFIG  places
source "$(dirname "$0")/env.sh"
: "${PARTS:=parts}" "${PACK:=/tmp/speechx-pack}" "${RUN:=/tmp/speechx-codec}" "${RESULTS:=results}"
: "${CONFIG:=configs/codec/gpu.yaml}" "${MINUTES:=9}" "${TOTAL:=24}" "${START:=}"

case "${1:-}" in
join) "$PYTHON" -m speechx.cli.data join "$PARTS" --out "$PACK" --workers "$(nproc)" ;;
train)
  "$PYTHON" -m speechx.cli.train codec --config "$CONFIG" --pack "$PACK" --out "$RUN" --device "$DEVICE" \
    --resume --max-minutes "$MINUTES" --anneal-minutes "$TOTAL" ${START:+--start-from "$START"} ;;
collect) collect "$RUN" "$RESULTS" ;;
*) sed -n '2,/^source/{/^source/d;s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
