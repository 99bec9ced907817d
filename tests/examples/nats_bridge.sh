#!/usr/bin/env bash
# nats_bridge.sh <source directory> <build directory>: the tests of the example nats_bridge.
set -euo pipefail

cd "$1/docs/examples/nats_bridge"
export SHMIPC_BUILD=$2 GOFLAGS=-buildvcs=false
go mod download
GOPROXY=off go test -count=1 -parallel 32 -timeout 200s ./...
