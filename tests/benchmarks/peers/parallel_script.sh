#!/bin/bash
# What a shell user would pick: GNU parallel with a job log (--resume goes on after a stop), curl and jq.
# usage: parallel_script.sh BASE MANIFEST.csv CAP POLL_SECONDS JOBLOG OUT
# It checks nothing before it pays, downloads nothing, and pays again for a row whose curl failed after acceptance.
set -u
export BASE=$1 POLL=$4
export AUTH="Authorization: Bearer $RUNCOMFY_TOKEN"

one() {
  local id said
  id=$(curl -sf -XPOST "$BASE/v1/models/$1" -H "$AUTH" -H 'Content-Type: application/json' \
    -d "{\"keyFramesFirst\":\"$2\",\"keyFramesLast\":\"$3\",\"promptText\":\"$4\",\"seed\":$5,\"resolution\":\"$6\",\"duration\":$7}" \
    | jq -r .request_id) || exit 1
  while :; do
    sleep "$POLL"
    # A server that is gone ends the loop: parallel's own jobs outlive a benchmark that is killed.
    said=$(curl -sf -H "$AUTH" "$BASE/v1/requests/$id/status") || exit 1
    [ "$(jq -r .status <<< "$said")" = completed ] && break
  done
  curl -sf -H "$AUTH" "$BASE/v1/requests/$id/result" | jq -r .output.video
}
export -f one

# The rows of the benchmark hold no quoted cells, so a plain comma separates them.
SHELL=/bin/bash parallel --will-cite --jobs "$3" --joblog "$5" --resume --colsep , --header : \
  one '{model}' '{keyFramesFirst}' '{keyFramesLast}' '{promptText}' '{seed}' '{resolution}' '{duration}' \
  < "$2" > "$6"
